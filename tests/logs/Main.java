import java.util.List;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One OpenSearch node on loopback, in the folder and on the port that it is given, for as long as stdin is open. */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        String folder = arguments[0];
        int port = Integer.parseInt(arguments[1]);
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.onBuild((number, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", port);
            settings.put("transport.port", "0");
            settings.putList("node.roles", List.of("cluster_manager", "data", "ingest"));
            // A disk that is nearly full is no reason to lock an index of a test.
            settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
            settings.put("script.painless.regex.enabled", "true");
            settings.putList("path.repo", List.of(folder + "/snapshots"));
            // As long as Logstash lets grok try.
            settings.put("ingest.grok.watchdog.max_execution_time", "30s");
        });
        // The runner looks for a port from the one after this.
        runner.build(OpenSearchRunner.newConfigs().basePath(folder).numOfNode(1).baseHttpPort(port - 1));
        while (System.in.read() >= 0) {
            // Who started this node is still there.
        }
        System.exit(0);
    }
}
