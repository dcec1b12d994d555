package mangakai;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.logging.log4j.LogManager;
import org.elasticsearch.bootstrap.Checks;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.ClassPathNode;
import org.elasticsearch.node.Node;
import org.elasticsearch.node.NodeValidationException;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.transport.netty4.Netty4Plugin;
import org.elasticsearch.xpack.core.XPackPlugin;
import org.elasticsearch.xpack.security.SecurityWithoutSaml;

/** Runs a node, whose folder is the property es.path.home, until SIGTERM. */
public final class Main {
    private static final List<Class<? extends Plugin>> PLUGINS =
        List.of(Netty4Plugin.class, XPackPlugin.class, SecurityWithoutSaml.class, Gaps.class);
    private static final long STOP_SECONDS = 60;

    private Main() {}

    public static void main(String[] arguments) throws InterruptedException {
        LogConfigurator.configureESLogging();
        try {
            Checks.prepareNatives(Path.of(System.getProperty("java.io.tmpdir")));
            var home = Path.of(System.getProperty("es.path.home"));
            var settings = Settings.builder()
                .put("path.home", home.toString())
                // All volumes are folders of one disk: how full that is says nothing about a volume.
                .put("cluster.routing.allocation.disk.threshold_enabled", false)
                .build();
            var node = new ClassPathNode(settings, home.resolve("config"), PLUGINS);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(node), "stop"));
            node.start();
        } catch (NodeValidationException error) {
            System.err.println("ERROR: Elasticsearch did not exit normally - " + error.getMessage());
            // That of Elasticsearch: something is wrong with the configuration.
            System.exit(78);
        } catch (Throwable error) {
            error.printStackTrace();
            // Threads that were started already would keep the process, which serves nothing.
            System.exit(1);
        }
        new CountDownLatch(1).await();
    }

    private static void stop(Node node) {
        try {
            node.prepareForClose();
            node.close();
            node.awaitClose(STOP_SECONDS, TimeUnit.SECONDS);
        } catch (Exception error) {
            error.printStackTrace();
        } finally {
            // Not by its own hook, which would run beside this one: what is said while the node stops would be lost.
            LogManager.shutdown();
        }
    }
}
