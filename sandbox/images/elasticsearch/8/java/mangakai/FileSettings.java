package mangakai;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.reservedstate.ReservedClusterStateHandler;
import org.elasticsearch.reservedstate.ReservedClusterStateHandlerProvider;
import org.elasticsearch.reservedstate.TransformState;
import org.elasticsearch.xcontent.XContentParser;

/**
 * The settings `ilm` and `slm` of a settings file. Elastic's operator always writes both, empty, and a node whose file
 * has what no module takes is never ready.
 */
public final class FileSettings implements ReservedClusterStateHandlerProvider {
    @Override
    public Collection<ReservedClusterStateHandler<?>> handlers() {
        return List.of(new Empty("ilm"), new Empty("slm"));
    }

    private record Empty(String name) implements ReservedClusterStateHandler<Map<?, ?>> {
        @Override
        public Map<?, ?> fromXContent(XContentParser parser) throws IOException {
            return parser.map();
        }

        @Override
        public TransformState transform(Object policies, TransformState before) {
            if (!((Map<?, ?>) policies).isEmpty()) {
                throw new IllegalArgumentException(name + " of the settings file is left out of this image");
            }
            return new TransformState(before.state(), Set.of());
        }

        @Override
        public ClusterState remove(TransformState before) {
            return before.state();
        }
    }
}
