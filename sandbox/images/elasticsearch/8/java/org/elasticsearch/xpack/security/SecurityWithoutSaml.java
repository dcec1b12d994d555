package org.elasticsearch.xpack.security;

import java.util.List;
import org.elasticsearch.action.ActionRequest;
import org.elasticsearch.action.ActionResponse;
import org.elasticsearch.common.settings.Settings;

/** X-Pack's security without the login by SAML, whose libraries are not all published. */
public final class SecurityWithoutSaml extends Security {
    public SecurityWithoutSaml(Settings settings) {
        super(settings);
    }

    @Override
    public List<ActionHandler<? extends ActionRequest, ? extends ActionResponse>> getActions() {
        return super.getActions().stream().<ActionHandler<? extends ActionRequest, ? extends ActionResponse>>filter(
            handler -> !handler.getAction().name().contains("saml")).toList();
    }
}
