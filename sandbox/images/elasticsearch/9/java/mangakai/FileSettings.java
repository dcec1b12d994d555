package mangakai;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.metadata.ProjectId;
import org.elasticsearch.reservedstate.ReservedProjectStateHandler;
import org.elasticsearch.reservedstate.ReservedStateHandlerProvider;
import org.elasticsearch.reservedstate.TransformState;
import org.elasticsearch.xcontent.XContentParser;

/**
 * The settings `ilm` and `slm` of a settings file. Elastic's operator always writes both, empty, and a node whose file
 * has what no module takes is never ready.
 */
public final class FileSettings implements ReservedStateHandlerProvider {
    @Override
    public Collection<ReservedProjectStateHandler<?>> projectHandlers() {
        return List.of(new Empty("ilm"), new Empty("slm"));
    }

    private record Empty(String name) implements ReservedProjectStateHandler<Map<String, Object>> {
        @Override
        public Map<String, Object> fromXContent(XContentParser parser) throws IOException {
            return parser.map();
        }

        @Override
        public TransformState transform(ProjectId project, Map<String, Object> policies, TransformState before) {
            if (!policies.isEmpty()) {
                throw new IllegalArgumentException(name + " of the settings file is left out of this image");
            }
            return new TransformState(before.state(), Set.of());
        }

        @Override
        public ClusterState remove(ProjectId project, TransformState before) {
            return before.state();
        }
    }
}
