package mangakai;

import java.util.List;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.metadata.Metadata;
import org.elasticsearch.xcontent.NamedXContentRegistry.Entry;
import org.elasticsearch.xcontent.ParseField;
import org.elasticsearch.xpack.core.ilm.IndexLifecycleMetadata;
import org.elasticsearch.xpack.core.slm.SnapshotLifecycleMetadata;

/** Where the cluster's state has what a module adds to it. */
final class Customs {
    private Customs() {}

    static <T extends Metadata.Custom> T get(ClusterState state, String type, T otherwise) {
        return state.metadata().custom(type, otherwise);
    }

    static ClusterState put(ClusterState state, String type, Metadata.Custom custom) {
        return ClusterState.builder(state).metadata(Metadata.builder(state.metadata()).putCustom(type, custom)).build();
    }

    /** The parsers of what a node finds on its disk when it starts. */
    static List<Entry> parsers() {
        return List.of(
            new Entry(
                Metadata.Custom.class, new ParseField(IndexLifecycleMetadata.TYPE),
                parser -> IndexLifecycleMetadata.PARSER.parse(parser, null)),
            new Entry(
                Metadata.Custom.class, new ParseField(SnapshotLifecycleMetadata.TYPE),
                parser -> SnapshotLifecycleMetadata.PARSER.parse(parser, null)));
    }
}
