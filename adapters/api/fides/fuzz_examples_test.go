package fides_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/openapitest"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// otherPlace is the end of the ID of an operation that is another place of one.
var otherPlace = regexp.MustCompile(`_\d+$`)

// example is a request that succeeds unless something that was sent before
// prevents it.
func (e *everything) example(op openapitest.Operation) *openapitest.Example {
	id := otherPlace.ReplaceAllString(op.ID, "")
	if example := e.ofRequest(id); example != nil {
		return example
	}
	if example := e.ofPapers(id); example != nil {
		return example
	}
	return e.ofCatalogue(id)
}

// object is a body.
type object = map[string]any

// on is an example about a request; nil for none.
func on(req *dsr.Request, body any, more ...string) *openapitest.Example {
	if req == nil {
		return nil
	}
	example := with(body, more...)
	example.Parameters["privacy_request_id"] = req.ID
	return example
}

// with is an example with parameters as name and value.
func with(body any, more ...string) *openapitest.Example {
	example := &openapitest.Example{Parameters: map[string]string{}, Body: body}
	for i := 0; i+1 < len(more); i += 2 {
		example.Parameters[more[i]] = more[i+1]
	}
	return example
}

// ofRequest are examples about requests in a certain status.
func (e *everything) ofRequest(id string) *openapitest.Example {
	switch id {
	case "pre_approve_eligible", "pre_approve_not_eligible":
		return e.called(e.submitted("checked"), nil)
	case "resume_privacy_request":
		return e.called(e.advanced(e.submitted("halted")), object{"derived_identity": object{"phone_number": "+11234567891"}})
	case "verify_privacy_request":
		if req := e.submitted("verified"); req != nil {
			return on(req, object{"code": kept(&e.box.codes, req.ID)})
		}
	case "create_privacy_request", "create_privacy_request_authenticated":
		return with([]any{object{"policy_key": "access", "identity": object{"email": "nia.vale@example.com"}}})
	case "acquire_access_token":
		return with(object{"grant_type": "client_credentials", "client_id": rootID, "client_secret": rootSecret})
	case "revoke_token":
		if token, err := e.oauth.Token(e.ctx, rootID, rootSecret, nil); err == nil {
			return with(object{"token": token.Value, "client_id": rootID, "client_secret": rootSecret})
		}
	case "get_access_results":
		return on(e.complete(), nil)
	case "get_access_package":
		if req := e.complete(); req != nil && len(req.Packages) > 0 {
			if token, _, err := e.engine.Downloads().Link(e.ctx, req.ID, req.Packages[0].Rule, nil); err == nil {
				return on(req, nil, "token", token)
			}
		}
	case "retry_privacy_request":
		return on(e.failed(), nil)
	case "finalize_privacy_request":
		return on(e.finished(), nil)
	case "requeue_privacy_request", "delete_privacy_request", "resubmit_privacy_request":
		return on(e.submitted("access"), nil)
	case "get_privacy_request", "get_privacy_request_log", "get_privacy_request_tasks", "list_comments", "list_attachments":
		return on(e.submitted("access"), nil)
	}
	return nil
}

// called is an example of a hook that answers later.
func (e *everything) called(req *dsr.Request, body any) *openapitest.Example {
	if req == nil {
		return nil
	}
	if _, err := e.engine.Messages().Send(e.ctx); err != nil {
		return nil
	}
	example := on(req, body)
	example.Caller = openapitest.Caller{Name: "the hook", Header: http.Header{"Authorization": {"Bearer " + kept(&e.box.tokens, req.ID)}}}
	return example
}

// ofPapers are examples about what people add to a request.
func (e *everything) ofPapers(id string) *openapitest.Example {
	field := func(key string) string {
		return base64.RawURLEncoding.EncodeToString([]byte("access/paper:archive\n" + key))
	}
	switch id {
	case "complete_manual_field":
		return on(e.asked(), object{"field_value": "true", "comment_text": "hard to read", "comment_type": "note"}, "manual_field_id", field("found"))
	case "skip_manual_field":
		return on(e.asked(), object{"skip_reason": "lost"}, "manual_field_id", field("scan"))
	case "create_attachment":
		return on(e.submitted("review"), object{"attachment_type": "internal_use_only", "attachment_file": "scan.pdf"})
	case "get_attachment", "get_attachment_content":
		if req := e.submitted("review"); req != nil {
			info, err := e.engine.Attachments().Add(e.ctx, req.ID, "a.txt", "text/plain", false, strings.NewReader("a"), dsr.By{})
			if err == nil {
				return on(req, nil, "attachment_id", info.ID)
			}
		}
	case "create_comment":
		return on(e.submitted("review"), object{"comment_text": "it is late", "comment_type": "note"})
	case "get_comment":
		if req := e.submitted("review"); req != nil && e.engine.Attachments().Comment(e.ctx, req.ID, "", "a", false, dsr.By{}) == nil {
			return on(req, nil, "comment_id", "com_1")
		}
	case "upload_access_manual_webhook":
		return e.atTheDrawer("access", object{"notes": "found"})
	case "upload_erasure_manual_webhook":
		return e.atTheDrawer("erase", object{"notes": true})
	case "view_access_manual_webhook":
		return e.atTheDrawer("access", nil)
	case "view_erasure_manual_webhook":
		return e.atTheDrawer("erase", nil)
	case "resume_from_requires_input":
		e.seed()
		if req := e.submitted("access"); req != nil {
			req = e.step(req)
			for _, form := range e.engine.Forms().List() {
				_, _ = e.engine.Forms().Upload(e.ctx, req.ID, form.Key, graph.Access, nil, dsr.By{})
			}
			return on(req, nil)
		}
	}
	return nil
}

// atTheDrawer is an example of a request that waits for the form of the drawer.
func (e *everything) atTheDrawer(policy string, body any) *openapitest.Example {
	e.seed()
	req := e.submitted(policy)
	if req == nil {
		return nil
	}
	return on(e.step(req), body, "connection_key", "drawer")
}

// seed defines again what examples about the configuration are about, if it was
// deleted or changed.
func (e *everything) seed() {
	if e.seeded() {
		return
	}
	_, _ = e.engine.Catalogue().Update(e.ctx, func(d *dsr.Definitions) error {
		connection := func(key, kind string, secrets dsr.Secrets) {
			d.Connections[key] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: key, Name: "The " + key}, Type: kind, Secrets: secrets}
		}
		connection("crm", "postgres", dsr.Secrets{"host": "here", "password": canary})
		connection("caller", "https", dsr.Secrets{"url": "https://hooks.example.com"})
		connection("drawer", "manual_webhook", nil)
		connection("cellar", "manual_task", nil)
		d.Connections["cellar"].Options = json.RawMessage(definedCellar)
		d.Datasets["cellar"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "cellar"}, Connection: "cellar", Source: `{"dataset":[{"fides_key":"cellar","collections":[` +
			`{"name":"manual_data","fields":[{"name":"identity","fides_meta":{"identity":"*"}},{"name":"shelf","data_categories":["system.operations"]}]}]}]}`}
		connection("bare", "manual_webhook", nil)
		form, err := manual.NewForm(manual.Form{Key: "drawer", Name: "The drawer", Fields: []manual.Field{{PIIField: "Notes"}}})
		if err != nil {
			return err
		}
		d.Forms["drawer"] = &dsr.FormDefinition{Form: *form}
		d.Datasets["people"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "people"}, Connection: "crm", Source: `{"dataset":[` + peopleJSON + `]}`}
		d.Destinations["bucket"] = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: "bucket"}, Type: "local", Format: "json"}
		d.Destinations["cloud"] = &dsr.DestinationDefinition{
			Defined: dsr.Defined{Key: "cloud", Extra: json.RawMessage(`{"is_default":true}`)}, Type: "s3", Format: "json", Details: map[string]string{"bucket": "b", "auth_method": "secret_keys"},
		}
		return nil
	})
}

// seeded tells whether there is all that seed defines.
func (e *everything) seeded() bool {
	d, err := e.engine.Catalogue().Read(e.ctx)
	if err != nil {
		return false
	}
	for key, kind := range map[string]string{"crm": "postgres", "caller": "https", "cellar": "manual_task", "drawer": "manual_webhook", "bare": "manual_webhook"} {
		if c := d.Connections[key]; c == nil || c.Type != kind || c.Disabled {
			return false
		}
	}
	if string(d.Connections["cellar"].Options) != definedCellar {
		return false
	}
	drawer, people, cloud := d.Forms["drawer"], d.Datasets["people"], d.Destinations["cloud"]
	return drawer != nil && drawer.Fields[0].PIIField == "Notes" && len(drawer.Fields) == 1 && !drawer.Disabled &&
		people != nil && people.Connection == "crm" && d.Destinations["bucket"] != nil &&
		cloud != nil && cloud.Type == "s3" && string(cloud.Extra) == `{"is_default":true}` && len(d.PreApproval) == 0
}

// definedCellar is the task of the cellar, for which no policy asks.
const definedCellar = `{"collections":{"manual_data":{"title":"The cellar","fields":[{"key":"shelf","label":"Shelf","type":"text","request_type":"access"}]}}}`

// definedFor drops the tasks that policies ask for, and reports whether there
// was any.
func definedFor(d *dsr.Definitions) (any bool) {
	for key, def := range d.Datasets {
		if conn := d.Connections[def.Connection]; conn != nil && conn.Type == "manual_task" && strings.Contains(def.Source, `"user`) {
			delete(d.Datasets, key)
			conn.Options, any = nil, true
		}
	}
	return any
}

// ofCatalogue are examples about what is configured.
func (e *everything) ofCatalogue(id string) *openapitest.Example {
	var body any
	var more []string
	switch id {
	case "aes_encrypt":
		return with(object{"value": "hello", "key": "0123456789abcdef"})
	case "aes_decrypt":
		body = json.RawMessage(`{"value":"Wy1gjsSPC+8dqrsKryrHfdbpELxx","key":"0123456789abcdef","nonce":"AQEBAQEBAQEBAQEB"}`)
		return with(body)
	case "put_privacy_request_notification":
		return with(object{"email_addresses": []string{"ops@example.com"}, "notify_after_failures": 3})
	case "get_privacy_request_notification":
		_, _ = e.engine.Catalogue().Update(e.ctx, func(d *dsr.Definitions) error {
			d.Settings["fides.privacy_request_notification"] = json.RawMessage(`{"email_addresses":["ops@example.com"],"notify_after_failures":2}`)
			return nil
		})
	case "put_connection_secrets", "patch_connection_secrets", "test_connection", "delete_connection", "get_connection":
		more = []string{"connection_key", "crm"}
		if strings.HasSuffix(id, "secrets") {
			body = object{"host": "there", "password": canary}
		}
	case "get_dataset", "delete_dataset", "get_dataset_inputs", "get_dataset_reachability", "get_dataset_config":
		more = []string{"connection_key", "crm", "dataset_key", "people"}
	case "patch_datasets", "get_datasets", "get_dataset_configs":
		more = []string{"connection_key", "crm"}
		if id == "patch_datasets" {
			body = json.RawMessage("[" + peopleJSON + "," + ordersJSON + "]")
		}
	case "put_dataset_configs", "patch_dataset_configs":
		more, body = []string{"connection_key", "crm"}, []any{object{"fides_key": "people", "ctl_dataset_fides_key": "people"}}
	case "validate_dataset":
		more, body = []string{"connection_key", "crm"}, json.RawMessage(peopleJSON)
	case "create_access_manual_webhook", "patch_access_manual_webhook":
		e.seed()
		_, _ = e.engine.Catalogue().Update(e.ctx, func(d *dsr.Definitions) error {
			delete(d.Forms, "bare")
			return nil
		})
		return with(json.RawMessage(guideForm), "connection_key", "bare")
	case "create_manual_task":
		e.seed()
		_, _ = e.engine.Catalogue().Update(e.ctx, func(d *dsr.Definitions) error {
			delete(d.Datasets, "cellar")
			d.Connections["cellar"].Options = nil
			return nil
		})
		return with(object{"title": "Look"}, "connection_key", "cellar")
	case "get_manual_task", "get_connection_manual_fields":
		more = []string{"connection_key", "cellar"}
	case "update_manual_task":
		more, body = []string{"connection_key", "cellar"}, object{"title": "Look", "instructions": "By name"}
	case "assign_users_to_manual_task":
		more, body = []string{"connection_key", "cellar"}, []any{"archivist"}
	case "update_manual_task_conditions":
		more, body = []string{"connection_key", "cellar"}, []any{object{"field_address": "people:people:id", "operator": "exists"}}
	case "create_connection_manual_field":
		more = []string{"connection_key", "cellar"}
		body = object{"label": "Box", "help_text": "Its number", "field_type": "text", "request_type": "access", "data_categories": []any{"system.operations"}}
	case "get_connection_manual_field", "delete_connection_manual_field", "update_connection_manual_field":
		more = []string{"connection_key", "cellar", "field_id", "shelf"}
		if id == "update_connection_manual_field" {
			body = object{"label": "Shelf", "field_type": "checkbox", "request_type": "erasure", "data_categories": []any{"system.operations"}}
		}
	case "get_access_manual_webhook", "delete_access_manual_webhook":
		more = []string{"connection_key", "drawer"}
	case "get_storage", "delete_storage":
		more = []string{"config_key", "bucket"}
	case "put_storage_secrets":
		more, body = []string{"config_key", "cloud"}, object{"aws_access_key_id": "id", "aws_secret_access_key": canary}
	case "put_default_storage":
		body = object{"type": "s3", "details": object{"bucket": "b", "auth_method": "secret_keys"}}
	case "get_default_storage":
		more = []string{"storage_type", "s3"}
	case "put_default_storage_secrets":
		more, body = []string{"storage_type", "s3"}, object{"aws_access_key_id": "id", "aws_secret_access_key": canary}
	default:
		return e.ofPolicy(id)
	}
	e.seed()
	return with(body, more...)
}

// ofPolicy are examples about policies and webhooks.
func (e *everything) ofPolicy(id string) *openapitest.Example {
	const rule, target, hook = "rule_key", "rule_target_key", "webhook_key"
	if !strings.Contains(id, "policy") && !strings.Contains(id, "rule") && !strings.Contains(id, "webhook") {
		return nil
	}
	key := e.policy()
	var body any
	more := []string{"policy_key", key}
	switch id {
	case "get_policy", "delete_policy", "get_rule_list":
	case "get_rule", "delete_rule", "get_rule_target_list":
		more = append(more, rule, key+"_rule")
	case "create_or_update_rule_targets":
		more, body = append(more, rule, key+"_rule"), []any{object{"data_category": "user.device"}}
	case "create_or_update_rules":
		body = []any{object{"name": key + " again", "action_type": "access"}}
	case "get_rule_target", "delete_rule_target":
		more = append(more, rule, key+"_rule", target, key+"_rule_username")
	case "create_or_update_post_execution_webhooks", "create_or_update_pre_execution_webhooks":
		body = []any{object{"name": key + " again", "connection_config_key": "caller", "direction": "two_way"}}
	case "get_policy_pre_execution_webhook", "delete_pre_execution_webhook":
		more = append(more, hook, key+"_before")
	case "get_policy_post_execution_webhook", "delete_post_execution_webhook":
		more = append(more, hook, key+"_after")
	case "update_pre_execution_webhook":
		more, body = append(more, hook, key+"_before"), object{"name": key + " sooner", "order": 0}
	case "update_post_execution_webhook":
		more, body = append(more, hook, key+"_after"), object{"name": key + " later", "direction": "two_way"}
	case "create_or_update_pre_approval_webhooks":
		more, body = nil, []any{object{"key": "again", "name": "Again", "connection_config_key": "caller"}}
		e.preApproval(nil)
	case "get_pre_approval_webhook_detail", "delete_pre_approval_webhook":
		more = []string{hook, "check"}
		e.preApproval([]dsr.HookDefinition{{Key: "check", Name: "Check", Connection: "caller"}})
	case "update_pre_approval_webhook":
		more, body = []string{hook, "check"}, object{"name": "Another check"}
		e.preApproval([]dsr.HookDefinition{{Key: "check", Name: "Check", Connection: "caller"}})
	default:
		return nil
	}
	return with(body, more...)
}

// preApproval defines what every request waits for.
func (e *everything) preApproval(hooks []dsr.HookDefinition) {
	_, _ = e.engine.Catalogue().Update(e.ctx, func(d *dsr.Definitions) error {
		d.PreApproval = hooks
		return nil
	})
}

// policy defines another policy, which no request is under.
func (e *everything) policy() string {
	e.seed()
	n := e.policies.Add(1)
	key := fmt.Sprintf("mine_%d", n)
	_, _ = e.engine.Catalogue().Update(e.ctx, func(d *dsr.Definitions) error {
		delete(d.Policies, fmt.Sprintf("mine_%d", n-3)) // unless a request is under it
		return nil
	})
	_, _ = e.engine.Catalogue().Update(e.ctx, func(d *dsr.Definitions) error {
		d.Policies[key] = &dsr.PolicyDefinition{
			Defined: dsr.Defined{Key: key, Name: key},
			Rules: []graph.Rule{{
				Key: key + "_rule", Action: graph.Access, Destination: "folder", Targets: []graph.Category{"user.name", "user.contact"},
			}},
			Before: []dsr.HookDefinition{{Key: key + "_before", Connection: "caller"}},
			After:  []dsr.HookDefinition{{Key: key + "_after", Connection: "caller"}},
		}
		return nil
	})
	return key
}
