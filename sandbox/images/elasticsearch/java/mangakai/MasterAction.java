package mangakai;

import java.io.IOException;
import java.util.Map;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.ActionRequestValidationException;
import org.elasticsearch.action.ActionResponse;
import org.elasticsearch.action.support.ActionFilters;
import org.elasticsearch.action.support.master.MasterNodeRequest;
import org.elasticsearch.action.support.master.TransportMasterNodeAction;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.ClusterStateUpdateTask;
import org.elasticsearch.cluster.block.ClusterBlockException;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.io.stream.StreamInput;
import org.elasticsearch.common.io.stream.StreamOutput;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.tasks.Task;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.transport.TransportService;
import org.elasticsearch.xpack.core.ClientHelper;

/** Something that the master does, under the name of the original: the real roles decide who may ask for it. */
abstract class MasterAction extends TransportMasterNodeAction<MasterAction.Ask, MasterAction.Answer> {
    static final TimeValue PATIENCE = TimeValue.timeValueSeconds(30);

    /** What is asked: of what, by its name or id, and the body as it came. */
    public static final class Ask extends MasterNodeRequest<Ask> {
        final String name;
        final String body;

        Ask(String name, String body) {
            super(PATIENCE);
            this.name = name;
            this.body = body;
        }

        Ask(StreamInput in) throws IOException {
            super(in);
            name = in.readString();
            body = in.readString();
        }

        @Override
        public void writeTo(StreamOutput out) throws IOException {
            super.writeTo(out);
            out.writeString(name);
            out.writeString(body);
        }

        @Override
        public ActionRequestValidationException validate() {
            return null;
        }
    }

    /** An answer, as it is sent. */
    public static final class Answer extends ActionResponse {
        final String json;

        Answer(String json) {
            this.json = json;
        }

        Answer(StreamInput in) throws IOException {
            json = in.readString();
        }

        @Override
        public void writeTo(StreamOutput out) throws IOException {
            out.writeString(json);
        }
    }

    MasterAction(
        String name, TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters) {
        super(name, transport, cluster, threads, filters, Ask::new, Answer::new,
            threads.executor(ThreadPool.Names.MANAGEMENT));
    }

    @Override
    protected ClusterBlockException checkBlock(Ask ask, ClusterState state) {
        return null;
    }

    /** Change the cluster's state, and answer that it is changed. */
    final void update(ActionListener<Answer> listener, Update update) {
        clusterService.submitUnbatchedStateUpdateTask(actionName, new ClusterStateUpdateTask() {
            @Override
            public ClusterState execute(ClusterState state) throws Exception {
                return update.of(state);
            }

            @Override
            public void onFailure(Exception error) {
                listener.onFailure(error);
            }

            @Override
            public void clusterStateProcessed(ClusterState before, ClusterState after) {
                listener.onResponse(new Answer("{\"acknowledged\":true}"));
            }
        });
    }

    interface Update {
        ClusterState of(ClusterState state) throws Exception;
    }

    /** An action that reads the cluster's state. */
    abstract static class Reading extends MasterAction {
        Reading(
            String name, TransportService transport, ClusterService cluster, ThreadPool threads,
            ActionFilters filters) {
            super(name, transport, cluster, threads, filters);
        }

        abstract String answer(Ask ask, ClusterState state) throws IOException;

        @Override
        protected final void masterOperation(Task task, Ask ask, ClusterState state, ActionListener<Answer> listener) {
            ActionListener.completeWith(listener, () -> new Answer(answer(ask, state)));
        }
    }

    /** An action that changes the cluster's state; `headers` say who asks for it. */
    abstract static class Changing extends MasterAction {
        Changing(
            String name, TransportService transport, ClusterService cluster, ThreadPool threads,
            ActionFilters filters) {
            super(name, transport, cluster, threads, filters);
        }

        abstract ClusterState change(Ask ask, ClusterState state, Map<String, String> headers) throws Exception;

        @Override
        protected final void masterOperation(Task task, Ask ask, ClusterState state, ActionListener<Answer> listener) {
            var headers = ClientHelper.getPersistableSafeSecurityHeaders(threadPool.getThreadContext(), state);
            update(listener, now -> change(ask, now, headers));
        }
    }
}
