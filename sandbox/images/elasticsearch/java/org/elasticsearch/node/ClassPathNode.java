package org.elasticsearch.node;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.elasticsearch.bootstrap.BootstrapCheck;
import org.elasticsearch.bootstrap.BootstrapContext;
import org.elasticsearch.bootstrap.Checks;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.transport.BoundTransportAddress;
import org.elasticsearch.env.Environment;
import org.elasticsearch.plugins.ClassPathPlugins;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.plugins.PluginsLoader;
import org.elasticsearch.plugins.PluginsService;

/** The real node, with plugins of the class path. */
public final class ClassPathNode extends Node {
    /** Read elasticsearch.yml of the folder `configuration`, and make the node; `settings` win. */
    public ClassPathNode(Settings settings, Path configuration, List<Class<? extends Plugin>> plugins) {
        super(NodeConstruction.prepareConstruction(
            environment(settings, configuration), null, provider(plugins), true));
    }

    private static Environment environment(Settings settings, Path configuration) {
        return InternalSettingsPreparer.prepareEnvironment(
            settings, Map.of(), configuration, () -> System.getenv("HOSTNAME"));
    }

    private static NodeServiceProvider provider(List<Class<? extends Plugin>> plugins) {
        return new NodeServiceProvider() {
            @Override
            PluginsService newPluginService(Environment environment, PluginsLoader unused) {
                return new ClassPathPlugins(environment.settings(), environment.configDir(), plugins);
            }
        };
    }

    @Override
    protected void validateNodeBeforeAcceptingRequests(
        BootstrapContext context, BoundTransportAddress address, List<BootstrapCheck> ofPlugins)
        throws NodeValidationException {
        Checks.run(context, address, ofPlugins);
    }
}
