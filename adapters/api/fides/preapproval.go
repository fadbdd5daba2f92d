package fides

import (
	"context"
	"net/http"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

const preApprovalClass = "PreApprovalWebhook"

// preApprovalRoutes are what is done with the webhooks that are asked for their
// approval of every request.
func (d *Door) preApprovalRoutes() []route {
	const list, one = "/dsr/webhook/pre_approval", "/dsr/webhook/pre_approval/{webhook_key}"
	return []route{
		{
			method: "GET", path: list, scopes: []string{oauth.ScopeWebhookRead}, id: "get_pre_approval_webhook_list",
			summary: "The pre-approval webhooks", tag: tagHooks, call: typed(d.listPreApproval),
		},
		{
			method: "PUT", path: list, scopes: []string{oauth.ScopeWebhookCreateOrUpdate}, id: "create_or_update_pre_approval_webhooks",
			summary: "Replace the pre-approval webhooks, all or nothing", tag: tagHooks,
			errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}, call: typed(d.putPreApproval), view: preApprovalView{},
		},
		{
			method: "GET", path: one, scopes: []string{oauth.ScopeWebhookRead}, id: "get_pre_approval_webhook_detail",
			summary: "A pre-approval webhook", tag: tagHooks, errors: []int{http.StatusNotFound}, call: typed(d.getPreApproval),
		},
		{
			method: "PATCH", path: one, scopes: []string{oauth.ScopeWebhookCreateOrUpdate}, id: "update_pre_approval_webhook",
			summary: "Change a pre-approval webhook", tag: tagHooks,
			errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}, call: typed(d.patchPreApproval),
			view: preApprovalView{}, self: [2]string{"key", "webhook_key"},
		},
		{
			method: "DELETE", path: one, scopes: []string{oauth.ScopeWebhookDelete}, id: "delete_pre_approval_webhook",
			summary: "Delete a pre-approval webhook", tag: tagHooks, errors: []int{http.StatusNotFound, http.StatusConflict}, call: typed(d.deletePreApproval),
		},
	}
}

type preApprovalPath struct {
	Webhook string `json:"webhook_key" minLength:"1" maxLength:"200"`
}

type onePreApproval struct{ Path preApprovalPath }

type preApprovalList struct{ Query paging }

type preApprovalInput struct {
	Body []newPreApproval `maxItems:"50"`
}

// newPreApproval is a pre-approval webhook.
type newPreApproval struct {
	Key        *string `json:"key" required:"false" maxLength:"200" doc:"Defaults to the name in snake case, also where it is blank."`
	Name       string  `json:"name" minLength:"1" maxLength:"200"`
	Connection *string `json:"connection_config_key" required:"false" maxLength:"200" doc:"Needed, unless connection_config comes back."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (n *newPreApproval) UnmarshalJSON(text []byte) (err error) {
	type plain newPreApproval
	n.told, err = decodeKeeping(text, (*plain)(n))
	n.Key = givenKey(n.Key)
	return err
}

func (in *preApprovalInput) check() (faults []fault) {
	for i := range in.Body {
		faults = append(faults, checkHook(in.Body[i].Key, &in.Body[i].Name, in.Body[i].Connection, "body", i)...)
	}
	return faults
}

type preApprovalChangeInput struct {
	Path preApprovalPath
	Body preApprovalChange
}

// preApprovalChange is what changes of a pre-approval webhook.
type preApprovalChange struct {
	Name       *string `json:"name" required:"false" minLength:"1" maxLength:"200"`
	Connection *string `json:"connection_config_key" required:"false" maxLength:"200"`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (n *preApprovalChange) UnmarshalJSON(text []byte) (err error) {
	type plain preApprovalChange
	n.told, err = decodeKeeping(text, (*plain)(n))
	return err
}

func (in *preApprovalChangeInput) check() []fault {
	return keyFault(in.Body.Connection, "body", "connection_config_key")
}

// preApprovalView is a pre-approval webhook as Fides shows it.
type preApprovalView struct {
	Key        string                   `json:"key"`
	Name       string                   `json:"name"`
	Connection nullable[connectionView] `json:"connection_config"`
}

func (d *Door) viewPreApproval(
	ctx context.Context, defs *dsr.Definitions, tests map[string]dsr.ConnectionTest, def *dsr.HookDefinition,
) (preApprovalView, error) {
	conn, err := d.viewHookConnection(ctx, defs, tests, def.Connection)
	return preApprovalView{Key: def.Key, Name: hookName(def), Connection: conn}, err
}

// findPreApproval refuses a key that no pre-approval webhook has.
func findPreApproval(defs *dsr.Definitions, key string) (int, error) {
	i := slices.IndexFunc(defs.PreApproval, func(def dsr.HookDefinition) bool { return def.Key == key })
	if i < 0 {
		return 0, refuse(http.StatusNotFound, "No PreApprovalWebhook found for key %s.", key)
	}
	return i, nil
}

func (d *Door) listPreApproval(ctx context.Context, in *preApprovalList) (*pageOfItems[preApprovalView], error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	tests, err := d.hookTests(ctx, defs, defs.PreApproval...)
	if err != nil {
		return nil, err
	}
	return pageFrom(defs.PreApproval, in.Query, func(def dsr.HookDefinition) (preApprovalView, error) {
		return d.viewPreApproval(ctx, defs, tests, &def)
	})
}

func (d *Door) getPreApproval(ctx context.Context, in *onePreApproval) (*preApprovalView, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	i, err := findPreApproval(defs, in.Path.Webhook)
	if err != nil {
		return nil, err
	}
	tests, err := d.hookTests(ctx, defs, defs.PreApproval[i])
	if err != nil {
		return nil, err
	}
	shown, err := d.viewPreApproval(ctx, defs, tests, &defs.PreApproval[i])
	return &shown, err
}

// putPreApproval replaces all pre-approval webhooks, or none.
func (d *Door) putPreApproval(ctx context.Context, in *preApprovalInput) (*[]preApprovalView, error) {
	var shown []preApprovalView
	err := d.change(ctx, func(defs *dsr.Definitions) error {
		sent := make([]sentHook, len(in.Body))
		for i := range in.Body {
			n := &in.Body[i]
			sent[i] = sentHook{key: n.Key, name: &n.Name, connection: n.Connection, told: n.told}
		}
		if err := putHookList(defs, preApprovalClass, &defs.PreApproval, sent); err != nil {
			return err
		}
		tests, err := d.hookTests(ctx, defs, defs.PreApproval...)
		if err != nil {
			return err
		}
		shown = []preApprovalView{}
		for i := range defs.PreApproval {
			v, err := d.viewPreApproval(ctx, defs, tests, &defs.PreApproval[i])
			if err != nil {
				return err
			}
			shown = append(shown, v)
		}
		return nil
	})
	return &shown, err
}

func (d *Door) patchPreApproval(ctx context.Context, in *preApprovalChangeInput) (*preApprovalView, error) {
	var shown preApprovalView
	err := d.change(ctx, func(defs *dsr.Definitions) error {
		i, err := findPreApproval(defs, in.Path.Webhook)
		if err != nil {
			return err
		}
		if err := patchHookList(defs, preApprovalClass, &defs.PreApproval, i, i, sentHook{name: in.Body.Name, connection: in.Body.Connection, told: in.Body.told}); err != nil {
			return err
		}
		tests, err := d.hookTests(ctx, defs, defs.PreApproval[i])
		if err != nil {
			return err
		}
		shown, err = d.viewPreApproval(ctx, defs, tests, &defs.PreApproval[i])
		return err
	})
	return &shown, err
}

func (d *Door) deletePreApproval(ctx context.Context, in *onePreApproval) (*nothing, error) {
	return nil, d.change(ctx, func(defs *dsr.Definitions) error {
		i, err := findPreApproval(defs, in.Path.Webhook)
		if err == nil {
			defs.PreApproval = slices.Delete(defs.PreApproval, i, i+1)
		}
		return err
	})
}
