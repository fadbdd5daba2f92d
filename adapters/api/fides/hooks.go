package fides

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/godsr/dsr"
)

// hookTests returns how the connections of webhooks that are shown were tested
// last, by key.
func (d *Door) hookTests(ctx context.Context, defs *dsr.Definitions, shown ...dsr.HookDefinition) (map[string]dsr.ConnectionTest, error) {
	of := map[string]*dsr.ConnectionDefinition{}
	for i := range shown {
		if conn := defs.Connections[shown[i].Connection]; conn != nil {
			of[conn.Key] = conn
		}
	}
	return d.engine.Catalogue().Tests(ctx, slices.Collect(maps.Values(of))...)
}

// viewHookConnection shows the connection of a webhook.
func (d *Door) viewHookConnection(
	ctx context.Context, defs *dsr.Definitions, tests map[string]dsr.ConnectionTest, key string,
) (none nullable[connectionView], _ error) {
	conn := defs.Connections[key]
	if conn == nil {
		return none, nil
	}
	shown, err := d.viewTested(ctx, conn, tests)
	if err != nil {
		return none, err
	}
	return present(*shown), nil
}

func hookName(def *dsr.HookDefinition) string { return cmp.Or(def.Name, def.Key) }

// sentHook is what was sent of a hook, nil where nothing was. A list of hooks has
// all of a hook, a change some of it.
type sentHook struct {
	key, name, connection, direction *string

	told echo
}

// into sets what was sent.
func (n *sentHook) into(def *dsr.HookDefinition) {
	if n.name != nil {
		def.Name = *n.name
	}
	if n.connection != nil {
		def.Connection = *n.connection
	}
	if n.direction != nil {
		def.TwoWay = *n.direction == "two_way"
	}
}

// putHookList replaces all hooks of a list, or none. The list is one of the
// definitions.
func putHookList(defs *dsr.Definitions, class string, list *[]dsr.HookDefinition, sent []sentHook) error {
	hooks, faults := make([]dsr.HookDefinition, len(sent)), []fault(nil)
	for i := range sent {
		n := &sent[i]
		hooks[i].Key = keyOr(n.key, n.name)
		n.into(&hooks[i])
		faults = append(faults, n.keepConnection(&hooks[i], *list, "body", i)...)
	}
	if err := invalid(faults...); err != nil {
		return err
	}
	*list = nil
	if err := checkHooks(defs, class, hooks); err != nil {
		return err
	}
	*list = hooks
	return nil
}

// patchHookList changes a hook of a list, and moves it.
func patchHookList(defs *dsr.Definitions, class string, list *[]dsr.HookDefinition, from, to int, n sentHook) error {
	def := (*list)[from]
	n.into(&def)
	if err := invalid(n.keepConnection(&def, *list, "body")...); err != nil {
		return err
	}
	others := slices.Delete(slices.Clone(*list), from, from+1)
	*list = others
	if err := checkHooks(defs, class, []dsr.HookDefinition{def}); err != nil {
		return err
	}
	if to < 0 || to > len(others) {
		return refuse(http.StatusBadRequest, "Cannot set order to %d: there are only %d %s(s) defined on this Policy.", to, len(others)+1, class)
	}
	*list = slices.Insert(others, to, def)
	return nil
}

// keepConnection leaves a hook for which none was named the connection that it
// has among those that there are, if that came back as it was answered.
func (n *sentHook) keepConnection(def *dsr.HookDefinition, there []dsr.HookDefinition, loc ...any) []fault {
	if n.connection != nil {
		return nil
	}
	i := slices.IndexFunc(there, func(h dsr.HookDefinition) bool { return h.Key == def.Key })
	switch shown := n.told.has("connection_config"); {
	case i < 0 || def.Connection == "" && !shown:
		return []fault{{"missing", append(slices.Clone(loc), "connection_config_key"), "Field required"}}
	case shown && n.told.differs("connection_config", there[i].Connection):
		return []fault{valueFault("it is told only: another connection is named by connection_config_key", append(slices.Clone(loc), "connection_config")...)}
	}
	def.Connection = there[i].Connection
	return nil
}

// checkHooks refuses in Fides' words hooks that cannot be added to those that
// there are, and those that requests would wait for on a disabled connection: no
// policy could take requests.
func checkHooks(defs *dsr.Definitions, class string, list []dsr.HookDefinition) error {
	keys, names := map[string]bool{}, map[string]bool{}
	for i := range list {
		keys[list[i].Key], names[hookName(&list[i])] = true, true
	}
	if len(keys) < len(list) || len(names) < len(list) {
		return refuse(http.StatusBadRequest, "Check request body: there are multiple webhooks whose keys or names resolve to the same value.")
	}
	for i := range list {
		switch conn := defs.Connections[list[i].Connection]; {
		case conn == nil:
			return refuse(http.StatusNotFound, "No connection configuration found with key '%s'.", list[i].Connection)
		case conn.Fixed:
			return refuse(http.StatusUnprocessableEntity, "Connection %s comes from the host's configuration and is no webhook.", conn.Key)
		case conn.Disabled && (class == preApprovalClass || class == preWebhookClass && list[i].TwoWay):
			return refuse(http.StatusConflict, "Connection '%s' is disabled, and requests would wait for webhook '%s'. Enable it first.", conn.Key, list[i].Key)
		}
	}
	there := map[string][]dsr.HookDefinition{preApprovalClass: defs.PreApproval}
	for _, p := range newestPolicies(defs) {
		for _, h := range hookPhases() {
			there[h.class] = append(there[h.class], *h.of(p)...)
		}
	}
	for _, of := range []string{preWebhookClass, "PolicyPostWebhook", preApprovalClass} {
		for i := range there[of] {
			other := &there[of][i]
			if keys[other.Key] {
				return refuse(http.StatusBadRequest, "%s", keyTaken(other.Key, of))
			}
			if of == class && names[hookName(other)] {
				return refuse(http.StatusBadRequest, "%s", nameTaken(hookName(other), of))
			}
		}
	}
	return nil
}
