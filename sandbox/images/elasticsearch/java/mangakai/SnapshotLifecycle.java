package mangakai;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.elasticsearch.ResourceNotFoundException;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.admin.cluster.snapshots.create.CreateSnapshotResponse;
import org.elasticsearch.action.support.ActionFilters;
import org.elasticsearch.client.internal.Client;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.Strings;
import org.elasticsearch.injection.guice.Inject;
import org.elasticsearch.snapshots.SnapshotInfo;
import org.elasticsearch.snapshots.SnapshotState;
import org.elasticsearch.tasks.Task;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.transport.TransportService;
import org.elasticsearch.xcontent.ToXContent;
import org.elasticsearch.xcontent.XContentParserConfiguration;
import org.elasticsearch.xcontent.json.JsonXContent;
import org.elasticsearch.xpack.core.ClientHelper;
import org.elasticsearch.xpack.core.slm.SnapshotInvocationRecord;
import org.elasticsearch.xpack.core.slm.SnapshotLifecycleMetadata;
import org.elasticsearch.xpack.core.slm.SnapshotLifecyclePolicy;
import org.elasticsearch.xpack.core.slm.SnapshotLifecyclePolicyItem;
import org.elasticsearch.xpack.core.slm.SnapshotLifecyclePolicyMetadata;

/**
 * `/_slm/policy/{name}`, of the module x-pack-slm. Policies are parsed, validated and kept as by the original, and make
 * a snapshot when they are told to; but nothing looks at their schedule, and nothing removes what they keep no longer.
 */
final class SnapshotLifecycle {
    private SnapshotLifecycle() {}

    private static SnapshotLifecycleMetadata kept(ClusterState state) {
        return Customs.get(state, SnapshotLifecycleMetadata.TYPE, SnapshotLifecycleMetadata.EMPTY);
    }

    private static SnapshotLifecyclePolicyMetadata policy(ClusterState state, String name) {
        var policy = kept(state).getSnapshotConfigurations().get(name);
        if (policy == null) {
            throw new ResourceNotFoundException("snapshot lifecycle policy or policies [{}] not found", name);
        }
        return policy;
    }

    private static ClusterState with(ClusterState state, SnapshotLifecyclePolicyMetadata policy) {
        var before = kept(state);
        var policies = new HashMap<>(before.getSnapshotConfigurations());
        policies.put(policy.getId(), policy);
        var metadata = new SnapshotLifecycleMetadata(policies, before.getOperationMode(), before.getStats());
        return Customs.put(state, SnapshotLifecycleMetadata.TYPE, metadata);
    }

    /** `PUT`; the snapshots are made in the name of who puts the policy. */
    public static final class Put extends MasterAction.Changing {
        static final String NAME = "cluster:admin/slm/put";

        @Inject
        public Put(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters) {
            super(NAME, transport, cluster, threads, filters);
        }

        @Override
        ClusterState change(Ask ask, ClusterState state, Map<String, String> headers) throws IOException {
            SnapshotLifecyclePolicy policy;
            try (var parser = JsonXContent.jsonXContent.createParser(XContentParserConfiguration.EMPTY, ask.body)) {
                policy = SnapshotLifecyclePolicy.parse(parser, ask.name);
            }
            var error = policy.validate();
            if (error != null) {
                throw error;
            }
            var before = kept(state).getSnapshotConfigurations().get(ask.name);
            return with(state, SnapshotLifecyclePolicyMetadata.builder(before)
                .setPolicy(policy)
                .setHeaders(headers)
                .setVersion(before == null ? 1 : before.getVersion() + 1)
                .setModifiedDate(System.currentTimeMillis())
                .build());
        }
    }

    /** `GET`, of one policy. */
    public static final class Get extends MasterAction.Reading {
        static final String NAME = "cluster:admin/slm/get";

        @Inject
        public Get(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters) {
            super(NAME, transport, cluster, threads, filters);
        }

        @Override
        String answer(Ask ask, ClusterState state) throws IOException {
            var item = new SnapshotLifecyclePolicyItem(policy(state, ask.name), null, null);
            try (var json = JsonXContent.contentBuilder()) {
                json.startObject();
                item.toXContent(json, ToXContent.EMPTY_PARAMS);
                return Strings.toString(json.endObject());
            }
        }
    }

    /** `PUT …/_execute`: the snapshot begins, and the answer says its name at once. */
    public static final class Execute extends MasterAction {
        static final String NAME = "cluster:admin/slm/execute";
        private final Client client;

        @Inject
        public Execute(
            TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters,
            Client client) {
            super(NAME, transport, cluster, threads, filters);
            this.client = client;
        }

        @Override
        protected void masterOperation(Task task, Ask ask, ClusterState state, ActionListener<Answer> listener)
            throws IOException {
            var policy = policy(state, ask.name);
            var request = policy.getPolicy().toRequest(PATIENCE);
            var began = System.currentTimeMillis();
            ClientHelper.executeWithHeadersAsync(
                threadPool.getThreadContext(),
                policy.getHeaders(),
                ClientHelper.INDEX_LIFECYCLE_ORIGIN,
                request,
                ActionListener.<CreateSnapshotResponse>wrap(
                    made -> keep(ask.name, request.snapshot(), began, failure(made.getSnapshotInfo())),
                    error -> keep(ask.name, request.snapshot(), began, error.toString())),
                client.admin().cluster()::createSnapshot);
            try (var json = JsonXContent.contentBuilder()) {
                json.startObject().field("snapshot_name", request.snapshot()).endObject();
                listener.onResponse(new Answer(Strings.toString(json)));
            }
        }

        /** Return why not all is in a snapshot; null if all is. */
        private static String failure(SnapshotInfo made) {
            return made.state() == SnapshotState.SUCCESS ? null : made.state() + ": " + made.shardFailures();
        }

        private void keep(String name, String snapshot, long began, String failure) {
            var record = new SnapshotInvocationRecord(snapshot, began, System.currentTimeMillis(), failure);
            update(ActionListener.noop(), state -> {
                var builder = SnapshotLifecyclePolicyMetadata.builder(policy(state, name));
                var recorded = failure == null ? builder.setLastSuccess(record) : builder.setLastFailure(record);
                return with(state, recorded.build());
            });
        }
    }
}
