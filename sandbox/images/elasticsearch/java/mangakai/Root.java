package mangakai;

import java.io.IOException;
import org.apache.lucene.util.Version;
import org.elasticsearch.Build;
import org.elasticsearch.action.support.ActionFilters;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.Strings;
import org.elasticsearch.injection.guice.Inject;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.transport.TransportService;
import org.elasticsearch.xcontent.json.JsonXContent;

/** `GET /`, of the module rest-root. */
public final class Root extends MasterAction.Reading {
    static final String NAME = "cluster:monitor/main";

    @Inject
    public Root(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters) {
        super(NAME, transport, cluster, threads, filters);
    }

    /** Each node answers for itself, also while there is no master. */
    @Override
    protected boolean localExecute(Ask ask) {
        return true;
    }

    @Override
    String answer(Ask ask, ClusterState state) throws IOException {
        var build = Build.current();
        try (var json = JsonXContent.contentBuilder()) {
            json.startObject()
                .field("name", clusterService.localNode().getName())
                .field("cluster_name", state.getClusterName().value())
                .field("cluster_uuid", state.metadata().clusterUUID())
                .startObject("version")
                .field("number", build.version())
                .field("build_flavor", build.flavor())
                .field("build_type", build.type().displayName())
                .field("build_hash", build.hash())
                .field("build_date", build.date())
                .field("build_snapshot", build.isSnapshot())
                .field("lucene_version", Version.LATEST.toString())
                .field("minimum_wire_compatibility_version", build.minWireCompatVersion())
                .field("minimum_index_compatibility_version", build.minIndexCompatVersion())
                .endObject()
                .field("tagline", "You Know, for Search")
                .endObject();
            return Strings.toString(json);
        }
    }
}
