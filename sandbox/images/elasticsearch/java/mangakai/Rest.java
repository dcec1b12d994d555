package mangakai;

import static org.elasticsearch.rest.RestRequest.Method.DELETE;
import static org.elasticsearch.rest.RestRequest.Method.GET;
import static org.elasticsearch.rest.RestRequest.Method.HEAD;
import static org.elasticsearch.rest.RestRequest.Method.PUT;

import java.io.IOException;
import java.util.List;
import org.elasticsearch.action.ActionType;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.rest.action.RestActionListener;

/** The calls of HTTP that the actions answer. */
final class Rest extends BaseRestHandler {
    private final String action;
    private final String parameter;
    private final List<Route> routes;

    /** An action for calls whose path has the name, or id, of what is asked in `parameter`. */
    private Rest(String action, String parameter, Route... routes) {
        this.action = action;
        this.parameter = parameter;
        this.routes = List.of(routes);
    }

    static List<RestHandler> handlers() {
        return List.of(
            new Rest(Root.NAME, "", new Route(GET, "/"), new Route(HEAD, "/")),
            // The server's own paths of nodes call it so, too, and insist on one name.
            new Rest(Shutdown.Put.NAME, "nodeId", new Route(PUT, "/_nodes/{nodeId}/shutdown")),
            new Rest(Shutdown.Delete.NAME, "nodeId", new Route(DELETE, "/_nodes/{nodeId}/shutdown")),
            new Rest(
                Shutdown.Get.NAME, "nodeId",
                new Route(GET, "/_nodes/shutdown"), new Route(GET, "/_nodes/{nodeId}/shutdown")),
            new Rest(IndexLifecycle.Put.NAME, "name", new Route(PUT, "/_ilm/policy/{name}")),
            new Rest(IndexLifecycle.Get.NAME, "name", new Route(GET, "/_ilm/policy/{name}")),
            new Rest(SnapshotLifecycle.Put.NAME, "name", new Route(PUT, "/_slm/policy/{name}")),
            new Rest(SnapshotLifecycle.Get.NAME, "name", new Route(GET, "/_slm/policy/{name}")),
            new Rest(SnapshotLifecycle.Execute.NAME, "name", new Route(PUT, "/_slm/policy/{name}/_execute")));
    }

    @Override
    public String getName() {
        return action;
    }

    @Override
    public List<Route> routes() {
        return routes;
    }

    @Override
    protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) throws IOException {
        // Read, as one that nobody reads is an error.
        request.param("master_timeout");
        request.param("timeout");
        var body = request.hasContent() ? request.requiredContent().utf8ToString() : "";
        var ask = new MasterAction.Ask(request.param(parameter, ""), body);
        var head = request.method() == HEAD;
        return channel -> client.execute(
            new ActionType<MasterAction.Answer>(action), ask, new RestActionListener<>(channel) {
                @Override
                protected void processResponse(MasterAction.Answer answer) {
                    var text = head ? "" : answer.json;
                    channel.sendResponse(new RestResponse(RestStatus.OK, "application/json", text));
                }
            });
    }
}
