package mangakai;

import java.io.IOException;
import java.util.Map;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.support.ActionFilters;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.metadata.Metadata;
import org.elasticsearch.cluster.metadata.NodesShutdownMetadata;
import org.elasticsearch.cluster.metadata.SingleNodeShutdownMetadata;
import org.elasticsearch.cluster.metadata.SingleNodeShutdownMetadata.Type;
import org.elasticsearch.cluster.routing.RerouteService;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.Priority;
import org.elasticsearch.common.Strings;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.injection.guice.Inject;
import org.elasticsearch.tasks.Task;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.transport.TransportService;
import org.elasticsearch.xcontent.XContentBuilder;
import org.elasticsearch.xcontent.XContentParserConfiguration;
import org.elasticsearch.xcontent.json.JsonXContent;

/**
 * `/_nodes/{id}/shutdown`, of the module x-pack-shutdown: Elastic's operator and the hook of its pods announce with it
 * that a node stops. It is kept where the original keeps it, so the real allocation of shards acts on it.
 */
final class Shutdown {
    private Shutdown() {}

    private static ClusterState with(ClusterState state, NodesShutdownMetadata shutdowns) {
        var metadata = Metadata.builder(state.metadata()).putCustom(NodesShutdownMetadata.TYPE, shutdowns);
        return ClusterState.builder(state).metadata(metadata).build();
    }

    /** `PUT`: a node is about to stop. */
    public static final class Put extends MasterAction {
        static final String NAME = "cluster:admin/shutdown/create";
        private final RerouteService reroute;

        @Inject
        public Put(
            TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters,
            RerouteService reroute) {
            super(NAME, transport, cluster, threads, filters);
            this.reroute = reroute;
        }

        @Override
        protected void masterOperation(Task task, Ask ask, ClusterState state, ActionListener<Answer> listener) {
            update(listener.map(answer -> {
                reroute.reroute("a node is to stop", Priority.NORMAL, ActionListener.noop());
                return answer;
            }), now -> with(now, now.metadata().nodeShutdowns().putSingleNodeMetadata(announced(ask, now))));
        }

        private static SingleNodeShutdownMetadata announced(Ask ask, ClusterState state) throws IOException {
            Map<String, Object> body;
            try (var parser = JsonXContent.jsonXContent.createParser(XContentParserConfiguration.EMPTY, ask.body)) {
                body = parser.map();
            }
            var node = state.nodes().get(ask.name);
            var delay = (String) body.get("allocation_delay");
            return SingleNodeShutdownMetadata.builder()
                .setNodeId(ask.name)
                .setNodeEphemeralId(node == null ? null : node.getEphemeralId())
                .setNodeSeen(node != null)
                .setType(Type.parse((String) body.get("type")))
                .setReason((String) body.get("reason"))
                .setAllocationDelay(delay == null ? null : TimeValue.parseTimeValue(delay, "allocation_delay"))
                .setStartedAtMillis(System.currentTimeMillis())
                .build();
        }
    }

    /** `DELETE`: it is over, or called off. */
    public static final class Delete extends MasterAction.Changing {
        static final String NAME = "cluster:admin/shutdown/delete";

        @Inject
        public Delete(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters) {
            super(NAME, transport, cluster, threads, filters);
        }

        @Override
        ClusterState change(Ask ask, ClusterState state, Map<String, String> headers) {
            var shutdowns = state.metadata().nodeShutdowns();
            return shutdowns.contains(ask.name) ? with(state, shutdowns.removeSingleNodeMetadata(ask.name)) : state;
        }
    }

    /** `GET`: how far it is; a node that leaves for good has still to give away its shards. */
    public static final class Get extends MasterAction.Reading {
        static final String NAME = "cluster:admin/shutdown/get";

        @Inject
        public Get(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters) {
            super(NAME, transport, cluster, threads, filters);
        }

        @Override
        String answer(Ask ask, ClusterState state) throws IOException {
            try (var json = JsonXContent.contentBuilder()) {
                json.startObject().startArray("nodes");
                for (var shutdown : state.metadata().nodeShutdowns().getAll().values()) {
                    if (ask.name.isEmpty() || ask.name.equals(shutdown.getNodeId())) {
                        write(json, shutdown, state);
                    }
                }
                return Strings.toString(json.endArray().endObject());
            }
        }

        private static void write(XContentBuilder json, SingleNodeShutdownMetadata shutdown, ClusterState state)
            throws IOException {
            var shards = state.getRoutingNodes().node(shutdown.getNodeId());
            var left = shutdown.getType() == Type.RESTART || shards == null ? 0 : shards.size();
            var status = left == 0 ? "COMPLETE" : "IN_PROGRESS";
            json.startObject()
                .field("node_id", shutdown.getNodeId())
                .field("type", shutdown.getType().toString())
                .field("reason", shutdown.getReason())
                .field("shutdown_startedmillis", shutdown.getStartedAtMillis())
                .field("status", status)
                .startObject("shard_migration")
                .field("status", status)
                .field("shard_migrations_remaining", left)
                .endObject()
                .startObject("persistent_tasks")
                .field("status", "COMPLETE")
                .endObject()
                .startObject("plugins")
                .field("status", "COMPLETE")
                .endObject()
                .endObject();
        }
    }
}
