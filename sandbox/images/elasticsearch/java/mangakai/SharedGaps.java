package mangakai;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.elasticsearch.common.settings.Setting;
import org.elasticsearch.common.settings.Setting.Property;
import org.elasticsearch.index.analysis.PreConfiguredTokenFilter;
import org.elasticsearch.index.analysis.PreConfiguredTokenizer;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.index.mapper.Mapper;
import org.elasticsearch.index.mapper.TextFieldMapper;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.MapperPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.xcontent.NamedXContentRegistry;
import org.elasticsearch.xpack.core.ilm.LifecycleSettings;
import org.elasticsearch.xpack.core.ilm.RolloverAction;

/** What this program and Elastic's operator ask of modules that no registry has; each version has its plugin Gaps. */
abstract class SharedGaps extends Plugin implements AnalysisPlugin, MapperPlugin {
    static final Map<String, Class<? extends MasterAction>> ACTIONS = Map.of(
        Root.NAME, Root.class,
        Shutdown.Put.NAME, Shutdown.Put.class,
        Shutdown.Delete.NAME, Shutdown.Delete.class,
        Shutdown.Get.NAME, Shutdown.Get.class,
        IndexLifecycle.Put.NAME, IndexLifecycle.Put.class,
        IndexLifecycle.Get.NAME, IndexLifecycle.Get.class,
        SnapshotLifecycle.Put.NAME, SnapshotLifecycle.Put.class,
        SnapshotLifecycle.Get.NAME, SnapshotLifecycle.Get.class,
        SnapshotLifecycle.Execute.NAME, SnapshotLifecycle.Execute.class);

    /** Those of x-pack-ilm that an index has, and those of repository-s3, which the stand-in does not look at. */
    @Override
    public List<Setting<?>> getSettings() {
        return List.of(
            LifecycleSettings.LIFECYCLE_NAME_SETTING,
            LifecycleSettings.LIFECYCLE_INDEXING_COMPLETE_SETTING,
            RolloverAction.LIFECYCLE_ROLLOVER_ALIAS_SETTING,
            Setting.prefixKeySetting("s3.client.", key -> Setting.simpleString(key, Property.NodeScope)));
    }

    @Override
    public List<NamedXContentRegistry.Entry> getNamedXContent() {
        return Stream.concat(IndexLifecycle.parsers().stream(), Customs.parsers().stream()).toList();
    }

    /** The module mapper-extras has a smaller form of it; a search finds the same. */
    @Override
    public Map<String, Mapper.TypeParser> getMappers() {
        return Map.of("match_only_text", TextFieldMapper.PARSER);
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Analysis.filters();
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Analysis.tokenizers();
    }

    @Override
    public List<PreConfiguredTokenFilter> getPreConfiguredTokenFilters() {
        return Analysis.preConfiguredFilters();
    }

    @Override
    public List<PreConfiguredTokenizer> getPreConfiguredTokenizers() {
        return Analysis.preConfiguredTokenizers();
    }
}
