package org.elasticsearch.plugins;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.Build;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.plugins.spi.SPIClassIterator;

/**
 * Plugins of the class path. Elasticsearch loads its own from the folders of a release, each with a class loader of its
 * own; Maven has only jars, and not of each.
 */
public final class ClassPathPlugins extends PluginsService {
    private final List<LoadedPlugin> plugins;

    public ClassPathPlugins(Settings settings, Path configuration, List<Class<? extends Plugin>> types) {
        super(settings, configuration, PluginsLoader.createPluginsLoader(Set.of(), Set.of(), Map.of(), false));
        plugins = types.stream().map(type -> loaded(type, settings, configuration)).toList();
        loadExtensions(plugins);
    }

    private static LoadedPlugin loaded(Class<? extends Plugin> type, Settings settings, Path configuration) {
        var plugin = loadPlugin(type, settings, configuration);
        return new LoadedPlugin(descriptor(type), plugin, ClassPathPlugins.class.getClassLoader());
    }

    private static PluginDescriptor descriptor(Class<? extends Plugin> type) {
        var text = """
            name=%s
            classname=%s
            description=of the class path
            version=%s
            elasticsearch.version=%s
            java.version=%s
            """.formatted(
                type.getSimpleName(),
                type.getName(),
                Build.current().version(),
                Build.current().version(),
                Runtime.version().feature());
        try {
            var stream = new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
            return PluginDescriptor.readInternalDescriptorFromStream(stream);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    @Override
    protected List<LoadedPlugin> plugins() {
        return plugins;
    }

    /** Make what META-INF/services names, once each, with the plugin that its constructor asks for. */
    @Override
    public <T> List<? extends T> loadServiceProviders(Class<T> service) {
        List<T> made = new ArrayList<>();
        SPIClassIterator.get(service, getClass().getClassLoader())
            .forEachRemaining(type -> made.add(service.cast(make(type))));
        return made;
    }

    private Object make(Class<?> type) {
        // One that needs its plugin has a second constructor without arguments, for Java's own loader of services.
        var widest = Arrays.stream(type.getConstructors()).max(Comparator.comparing(Constructor::getParameterCount));
        var constructor = widest.orElseThrow();
        try {
            return constructor.newInstance(Arrays.stream(constructor.getParameterTypes()).map(this::plugin).toArray());
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException("cannot make " + type, error);
        }
    }

    private Object plugin(Class<?> type) {
        return plugins.stream().map(LoadedPlugin::instance).filter(type::isInstance).findFirst().orElseThrow();
    }
}
