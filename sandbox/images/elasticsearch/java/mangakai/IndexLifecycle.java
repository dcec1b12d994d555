package mangakai;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.elasticsearch.ResourceNotFoundException;
import org.elasticsearch.action.support.ActionFilters;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.Strings;
import org.elasticsearch.injection.guice.Inject;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.transport.TransportService;
import org.elasticsearch.xcontent.NamedXContentRegistry;
import org.elasticsearch.xcontent.ParseField;
import org.elasticsearch.xcontent.XContentParserConfiguration;
import org.elasticsearch.xcontent.json.JsonXContent;
import org.elasticsearch.xpack.core.ilm.DeleteAction;
import org.elasticsearch.xpack.core.ilm.IndexLifecycleMetadata;
import org.elasticsearch.xpack.core.ilm.LifecycleAction;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicy;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicyMetadata;
import org.elasticsearch.xpack.core.ilm.LifecycleType;
import org.elasticsearch.xpack.core.ilm.RolloverAction;
import org.elasticsearch.xpack.core.ilm.TimeseriesLifecycleType;
import org.elasticsearch.xpack.core.ilm.action.PutLifecycleRequest;

/**
 * `/_ilm/policy/{name}`, of the module x-pack-ilm. Policies are parsed, validated and kept as by the original, but
 * nothing carries them out: no index rolls over or goes by itself.
 */
final class IndexLifecycle {
    private IndexLifecycle() {}

    /** The parsers of what a policy may do: what the policy of this program does. */
    static List<NamedXContentRegistry.Entry> parsers() {
        return List.of(
            new NamedXContentRegistry.Entry(
                LifecycleType.class, new ParseField(TimeseriesLifecycleType.TYPE),
                parser -> TimeseriesLifecycleType.INSTANCE),
            new NamedXContentRegistry.Entry(
                LifecycleAction.class, new ParseField(RolloverAction.NAME), RolloverAction::parse),
            new NamedXContentRegistry.Entry(
                LifecycleAction.class, new ParseField(DeleteAction.NAME), DeleteAction::parse));
    }

    private static IndexLifecycleMetadata kept(ClusterState state) {
        return Customs.get(state, IndexLifecycleMetadata.TYPE, IndexLifecycleMetadata.EMPTY);
    }

    /** `PUT`. */
    public static final class Put extends MasterAction.Changing {
        static final String NAME = "cluster:admin/ilm/put";
        private final NamedXContentRegistry parsers;

        @Inject
        public Put(
            TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters,
            NamedXContentRegistry parsers) {
            super(NAME, transport, cluster, threads, filters);
            this.parsers = parsers;
        }

        @Override
        ClusterState change(Ask ask, ClusterState state, Map<String, String> headers) throws IOException {
            var request = parsed(ask);
            var error = request.validate();
            if (error != null) {
                throw error;
            }
            var policies = new TreeMap<>(kept(state).getPolicyMetadatas());
            var before = policies.get(ask.name);
            var version = before == null ? 1 : before.getVersion() + 1;
            policies.put(ask.name, new LifecyclePolicyMetadata(
                request.getPolicy(), headers, version, System.currentTimeMillis()));
            var metadata = new IndexLifecycleMetadata(policies, kept(state).getOperationMode());
            return Customs.put(state, IndexLifecycleMetadata.TYPE, metadata);
        }

        private PutLifecycleRequest parsed(Ask ask) throws IOException {
            var configuration = XContentParserConfiguration.EMPTY.withRegistry(parsers);
            try (var parser = JsonXContent.jsonXContent.createParser(configuration, ask.body)) {
                return PutLifecycleRequest.parseRequest(new PutLifecycleRequest.Factory() {
                    @Override
                    public PutLifecycleRequest create(LifecyclePolicy policy) {
                        return new PutLifecycleRequest(PATIENCE, PATIENCE, policy);
                    }

                    @Override
                    public String getPolicyName() {
                        return ask.name;
                    }
                }, parser);
            }
        }
    }

    /** `GET`, of one policy. */
    public static final class Get extends MasterAction.Reading {
        static final String NAME = "cluster:admin/ilm/get";

        @Inject
        public Get(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters) {
            super(NAME, transport, cluster, threads, filters);
        }

        @Override
        String answer(Ask ask, ClusterState state) throws IOException {
            var policy = kept(state).getPolicyMetadatas().get(ask.name);
            if (policy == null) {
                throw new ResourceNotFoundException("Lifecycle policy not found: {}", ask.name);
            }
            try (var json = JsonXContent.contentBuilder()) {
                json.startObject()
                    .startObject(ask.name)
                    .field("version", policy.getVersion())
                    .field("modified_date", policy.getModifiedDateString())
                    .field("policy", policy.getPolicy())
                    .endObject()
                    .endObject();
                return Strings.toString(json);
            }
        }
    }
}
