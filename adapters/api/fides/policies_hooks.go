package fides

import (
	"context"
	"net/http"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

const (
	tagHooks        = "Webhooks"
	preWebhookClass = "PolicyPreWebhook"
)

// hookPhase is when hooks of a policy are called, with Fides' names for it.
type hookPhase struct {
	name, title, class string
	of                 func(*dsr.PolicyDefinition) *[]dsr.HookDefinition
}

func hookPhases() []hookPhase {
	return []hookPhase{
		{"pre", "Pre", preWebhookClass, func(p *dsr.PolicyDefinition) *[]dsr.HookDefinition { return &p.Before }},
		{"post", "Post", "PolicyPostWebhook", func(p *dsr.PolicyDefinition) *[]dsr.HookDefinition { return &p.After }},
	}
}

// policyHookRoutes are what is done with the webhooks of a policy. Those of the
// host's configuration are not among them.
func (d *Door) policyHookRoutes() (routes []route) {
	for _, phase := range hookPhases() {
		list := "/{policy_key}/webhook/" + phase.name + "_execution"
		one := list + "/{webhook_key}"
		at := func(method, path, scope, id, summary string, call endpoint) route {
			rt := route{
				method: method, path: "/dsr/policy" + path, aliases: []place{{method, "/policy" + path}}, scopes: []string{scope}, tag: tagHooks,
				id: id, summary: summary, errors: []int{http.StatusNotFound}, call: call,
			}
			if method != "GET" {
				rt.errors = append(rt.errors, http.StatusBadRequest, http.StatusConflict)
			}
			return rt
		}
		back := func(self string, rt route) route {
			if rt.view = (hookView{}); self != "" {
				rt.self = [2]string{self, "webhook_key"}
			}
			return rt
		}
		when := phase.name + "_execution_webhook"
		routes = append(routes,
			at("GET", list, oauth.ScopeWebhookRead, "get_policy_"+when+"s", "The "+phase.name+"-execution webhooks of a policy, in their order", typed(d.listHooks(phase))),
			back("", at("PUT", list, oauth.ScopeWebhookCreateOrUpdate, "create_or_update_"+when+"s", "Replace the "+phase.name+"-execution webhooks of a policy, all or nothing", typed(d.putHooks(phase)))),
			at("GET", one, oauth.ScopeWebhookRead, "get_policy_"+when, "A "+phase.name+"-execution webhook", typed(d.getHook(phase))),
			back("key", at("PATCH", one, oauth.ScopeWebhookCreateOrUpdate, "update_"+when, "Change a "+phase.name+"-execution webhook, or its place", typed(d.patchHook(phase)))),
			at("DELETE", one, oauth.ScopeWebhookDelete, "delete_"+when, "Delete a "+phase.name+"-execution webhook", typed(d.deleteHook(phase))),
		)
	}
	return routes
}

// hookPath is the path of what is about one webhook of a policy.
type hookPath struct {
	Policy  string `json:"policy_key" minLength:"1" maxLength:"200"`
	Webhook string `json:"webhook_key" minLength:"1" maxLength:"200"`
}

type oneHook struct{ Path hookPath }

type hookList struct {
	Path  policyPath
	Query paging
}

type hooksInput struct {
	Path policyPath
	Body []newHook `maxItems:"50"`
}

// newHook is a webhook of a policy.
type newHook struct {
	Direction  string  `json:"direction" enum:"one_way,two_way"`
	Key        *string `json:"key" required:"false" maxLength:"200" doc:"Defaults to the name in snake case, also where it is blank."`
	Name       *string `json:"name" required:"false" minLength:"1" maxLength:"200"`
	Connection *string `json:"connection_config_key" required:"false" maxLength:"200" doc:"Needed, unless connection_config comes back."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (n *newHook) UnmarshalJSON(text []byte) (err error) {
	type plain newHook
	n.told, err = decodeKeeping(text, (*plain)(n))
	n.Key = givenKey(n.Key)
	return err
}

func (in *hooksInput) check() (faults []fault) {
	last := int64(-1)
	for i := range in.Body {
		if told := in.Body[i].told; told.has("order") { // of a list of which some were left out, they still ascend
			order, ok := told.number("order")
			if !ok || order <= last {
				faults = append(faults, valueFault("it is told only: webhooks have the order of the list", "body", i, "order"))
			}
			last = max(last, order)
		}
		faults = append(faults, checkHook(in.Body[i].Key, in.Body[i].Name, in.Body[i].Connection, "body", i)...)
	}
	return faults
}

func checkHook(key, name, connection *string, loc ...any) []fault {
	at := func(more string) []any { return append(slices.Clone(loc), more) }
	faults := slices.Concat(keyFault(key, at("key")...), keyFault(connection, at("connection_config_key")...))
	switch {
	case key == nil && name == nil:
		faults = append(faults, valueFault("a webhook requires a name or a key", loc...))
	case key == nil && keyOr(nil, name) == "":
		faults = append(faults, valueFault(noKey("a webhook"), loc...))
	}
	return faults
}

type hookChangeInput struct {
	Path hookPath
	Body hookChange
}

// hookChange is what changes of a webhook.
type hookChange struct {
	Direction  *string `json:"direction" required:"false" enum:"one_way,two_way"`
	Name       *string `json:"name" required:"false" minLength:"1" maxLength:"200"`
	Connection *string `json:"connection_config_key" required:"false" maxLength:"200"`
	Order      *int    `json:"order" required:"false" format:"int32" doc:"Its new place, from 0. The others move."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (n *hookChange) UnmarshalJSON(text []byte) (err error) {
	type plain hookChange
	n.told, err = decodeKeeping(text, (*plain)(n))
	return err
}

func (in *hookChangeInput) check() []fault {
	return keyFault(in.Body.Connection, "body", "connection_config_key")
}

// hookView is a webhook of a policy as Fides shows it.
type hookView struct {
	Direction  string                   `json:"direction"`
	Key        string                   `json:"key"`
	Name       string                   `json:"name"`
	Connection nullable[connectionView] `json:"connection_config"`
	Order      int                      `json:"order"`
}

// hookOrder is the place of a webhook.
type hookOrder struct {
	Key   string `json:"key"`
	Order int    `json:"order"`
}

// hookChanged is a webhook that changed.
type hookChanged struct {
	Resource hookView    `json:"resource"`
	NewOrder []hookOrder `json:"new_order" nullable:"false" doc:"Empty where no place changed."`
}

// hooksReordered is the answer to a deletion.
type hooksReordered struct {
	NewOrder []hookOrder `json:"new_order" nullable:"false" doc:"Empty where no place changed."`
}

func (d *Door) viewHook(
	ctx context.Context, defs *dsr.Definitions, tests map[string]dsr.ConnectionTest, list []dsr.HookDefinition, i int,
) (hookView, error) {
	conn, err := d.viewHookConnection(ctx, defs, tests, list[i].Connection)
	v := hookView{Direction: "one_way", Key: list[i].Key, Name: hookName(&list[i]), Connection: conn, Order: i}
	if list[i].TwoWay {
		v.Direction = "two_way"
	}
	return v, err
}

func viewOrder(list []dsr.HookDefinition) []hookOrder {
	order := make([]hookOrder, len(list))
	for i := range list {
		order[i] = hookOrder{list[i].Key, i}
	}
	return order
}

// find refuses a key that no webhook of the phase has.
func (h hookPhase) find(p *dsr.PolicyDefinition, key string) (int, error) {
	i := slices.IndexFunc(*h.of(p), func(def dsr.HookDefinition) bool { return def.Key == key })
	if i < 0 {
		return 0, refuse(http.StatusNotFound, "No %s-Execution Webhook found for key '%s' on Policy '%s'.", h.title, key, p.Key)
	}
	return i, nil
}

func (d *Door) listHooks(h hookPhase) func(context.Context, *hookList) (*pageOfItems[hookView], error) {
	return func(ctx context.Context, in *hookList) (*pageOfItems[hookView], error) {
		defs, p, err := d.policyNow(ctx, in.Path.Policy)
		if err != nil {
			return nil, err
		}
		list := *h.of(p)
		tests, err := d.hookTests(ctx, defs, list...)
		if err != nil {
			return nil, err
		}
		places := make([]int, len(list))
		for i := range places {
			places[i] = i
		}
		return pageFrom(places, in.Query, func(i int) (hookView, error) { return d.viewHook(ctx, defs, tests, list, i) })
	}
}

func (d *Door) getHook(h hookPhase) func(context.Context, *oneHook) (*hookView, error) {
	return func(ctx context.Context, in *oneHook) (*hookView, error) {
		defs, p, err := d.policyNow(ctx, in.Path.Policy)
		if err != nil {
			return nil, err
		}
		i, err := h.find(p, in.Path.Webhook)
		if err != nil {
			return nil, err
		}
		list := *h.of(p)
		tests, err := d.hookTests(ctx, defs, list[i])
		if err != nil {
			return nil, err
		}
		shown, err := d.viewHook(ctx, defs, tests, list, i)
		return &shown, err
	}
}

// putHooks replaces all webhooks of a phase, or none.
func (d *Door) putHooks(h hookPhase) func(context.Context, *hooksInput) (*[]hookView, error) {
	return func(ctx context.Context, in *hooksInput) (*[]hookView, error) {
		var shown []hookView
		err := d.change(ctx, func(defs *dsr.Definitions) error {
			p, err := changeablePolicy(defs, in.Path.Policy)
			if err != nil {
				return err
			}
			sent := make([]sentHook, len(in.Body))
			for i := range in.Body {
				n := &in.Body[i]
				sent[i] = sentHook{key: n.Key, name: n.Name, connection: n.Connection, direction: &n.Direction, told: n.told}
			}
			if err := putHookList(defs, h.class, h.of(p), sent); err != nil {
				return err
			}
			list := *h.of(p)
			tests, err := d.hookTests(ctx, defs, list...)
			if err != nil {
				return err
			}
			shown = []hookView{}
			for i := range list {
				v, err := d.viewHook(ctx, defs, tests, list, i)
				if err != nil {
					return err
				}
				shown = append(shown, v)
			}
			return nil
		})
		return &shown, err
	}
}

func (d *Door) patchHook(h hookPhase) func(context.Context, *hookChangeInput) (*hookChanged, error) {
	return func(ctx context.Context, in *hookChangeInput) (*hookChanged, error) {
		var answer hookChanged
		err := d.change(ctx, func(defs *dsr.Definitions) error {
			p, i, err := h.changeable(defs, in.Path)
			if err != nil {
				return err
			}
			n, to := &in.Body, i
			if n.Order != nil {
				to = *n.Order
			}
			if err := patchHookList(defs, h.class, h.of(p), i, to, sentHook{name: n.Name, connection: n.Connection, direction: n.Direction, told: n.told}); err != nil {
				return err
			}
			list := *h.of(p)
			answer = hookChanged{NewOrder: []hookOrder{}}
			if to != i {
				answer.NewOrder = viewOrder(list)
			}
			tests, err := d.hookTests(ctx, defs, list[to])
			if err != nil {
				return err
			}
			answer.Resource, err = d.viewHook(ctx, defs, tests, list, to)
			return err
		})
		return &answer, err
	}
}

func (d *Door) deleteHook(h hookPhase) func(context.Context, *oneHook) (*hooksReordered, error) {
	return func(ctx context.Context, in *oneHook) (*hooksReordered, error) {
		var answer hooksReordered
		err := d.change(ctx, func(defs *dsr.Definitions) error {
			p, i, err := h.changeable(defs, in.Path)
			if err != nil {
				return err
			}
			list := slices.Delete(*h.of(p), i, i+1)
			*h.of(p), answer.NewOrder = list, []hookOrder{}
			if i < len(list) {
				answer.NewOrder = viewOrder(list)
			}
			return nil
		})
		return &answer, err
	}
}

// changeable finds a webhook of a policy that is not of the host's
// configuration.
func (h hookPhase) changeable(defs *dsr.Definitions, at hookPath) (*dsr.PolicyDefinition, int, error) {
	p, err := changeablePolicy(defs, at.Policy)
	if err != nil {
		return nil, 0, err
	}
	i, err := h.find(p, at.Webhook)
	return p, i, err
}
