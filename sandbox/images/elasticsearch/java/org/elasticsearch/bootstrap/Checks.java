package org.elasticsearch.bootstrap;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.elasticsearch.common.transport.BoundTransportAddress;
import org.elasticsearch.node.NodeValidationException;

/** What Elasticsearch does before it serves, and lets nobody outside of this package do. */
public final class Checks {
    private Checks() {}

    /** Refuse to run as root, and install the filter of system calls, which a check of {@link #run} asks for. */
    public static void prepareNatives(Path temporary) {
        Elasticsearch.initializeNatives(temporary, false, true, false);
        Elasticsearch.initializeProbes();
    }

    /** Enforce all checks of Elasticsearch but one: how many files a process may open is decided by the machine. */
    public static void run(BootstrapContext context, BoundTransportAddress address, List<BootstrapCheck> ofPlugins)
        throws NodeValidationException {
        var checks = Stream.concat(BootstrapChecks.checks().stream(), ofPlugins.stream());
        var wanted = checks.filter(check -> !(check instanceof BootstrapChecks.FileDescriptorCheck)).toList();
        BootstrapChecks.check(context, true, wanted);
    }
}
