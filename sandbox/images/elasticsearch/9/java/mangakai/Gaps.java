package mangakai;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.elasticsearch.action.ActionType;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.util.BigArrays;
import org.elasticsearch.env.Environment;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.indices.recovery.RecoverySettings;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.RepositoryPlugin;
import org.elasticsearch.repositories.RepositoriesMetrics;
import org.elasticsearch.repositories.Repository;
import org.elasticsearch.repositories.SnapshotMetrics;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.xcontent.NamedXContentRegistry;

/** The plugin, in the words of Elasticsearch 9. */
public final class Gaps extends SharedGaps implements ActionPlugin, RepositoryPlugin {
    @Override
    public List<ActionHandler> getActions() {
        return ACTIONS.entrySet().stream()
            .map(action -> new ActionHandler(new ActionType<>(action.getKey()), action.getValue()))
            .toList();
    }

    @Override
    public Collection<RestHandler> getRestHandlers(
        RestHandlersServices services, Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> features) {
        return Rest.handlers();
    }

    @Override
    public Map<String, Repository.Factory> getRepositories(
        Environment environment, NamedXContentRegistry parsers, ClusterService cluster, BigArrays arrays,
        RecoverySettings recovery, RepositoriesMetrics repositories, SnapshotMetrics metrics) {
        return Map.of("s3", (project, metadata) -> new FolderRepository(
            project, metadata, Bucket.folder(metadata), parsers, cluster, arrays, recovery, metrics));
    }
}
