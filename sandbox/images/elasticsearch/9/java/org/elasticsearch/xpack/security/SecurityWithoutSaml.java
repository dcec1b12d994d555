package org.elasticsearch.xpack.security;

import java.util.List;
import org.elasticsearch.common.settings.Settings;

/** X-Pack's security without the login by SAML, whose libraries are not all published. */
public final class SecurityWithoutSaml extends Security {
    public SecurityWithoutSaml(Settings settings) {
        super(settings);
    }

    @Override
    public List<ActionHandler> getActions() {
        return super.getActions().stream().filter(handler -> !handler.getAction().name().contains("saml")).toList();
    }
}
