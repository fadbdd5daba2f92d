package fides

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/godsr/dsr"
)

// exampleOrder is in which order the examples fit together; docs/fides.md has it,
// too. Clients (of [Options.OAuth]) need none of the others.
const exampleOrder = "The examples of bodies configure an engine and create a request in this order: connections, their secrets and datasets, " +
	"destinations with theirs, policies, rules, targets (until a rule has one, its policy takes no requests), webhooks, forms and tasks of connections, requests. " +
	"Examples of keys in paths name what those before have made."

// examples are bodies that work, by the IDs of operations, for the document and
// its page: pasted one after another they configure an engine, and answer a
// request. Of a form they are the fields that a caller is likely to send.
func (d *Door) examples() map[string]json.RawMessage {
	dataset := `{"fides_key":"shop","name":"Shop","collections":[{"name":"customers","fields":[` +
		`{"name":"id","data_categories":["user.unique_id"],"fides_meta":{"primary_key":true}},` +
		`{"name":"email","data_categories":["user.contact.email"],"fides_meta":{"identity":"email"}},` +
		`{"name":"name","data_categories":["user.name"]}]}]}`
	request := `[{"policy_key":"access_request","identity":{"email":"someone@example.com"}}]`
	form := `{"fields":[{"pii_field":"Notes of the help desk","dsr_package_label":"notes","data_categories":["user.contact"],"types":["string"]}]}`
	client := `{"name":"Privacy desk","scopes":["privacy-request:create","privacy-request:read","privacy-request:review"]}`
	ids := `{"request_ids":["pri_3c9e"]}`
	hook := func(key, name string) string {
		return `[{"key":"` + key + `","name":"` + name + `","direction":"one_way","connection_config_key":"ticket_system"}]`
	}
	texts := map[string]string{
		"create_privacy_request":               request,
		"create_privacy_request_authenticated": request,
		"search_privacy_requests":              `{"status":["pending"]}`,
		"verify_privacy_request":               `{"code":"123456"}`,
		"pre_approve_eligible":                 `{}`,
		"pre_approve_not_eligible":             `{}`,
		"resume_privacy_request":               `{"derived_identity":{"phone_number":"+1 202 555 0143"}}`,
		"approve_privacy_requests":             ids,
		"deny_privacy_requests":                `{"request_ids":["pri_3c9e"],"reason":"There is no such account."}`,
		"cancel_privacy_requests":              ids,
		"retry_privacy_requests":               ids,
		"finalize_privacy_requests":            ids,
		"delete_privacy_requests":              ids,
		"put_privacy_request_notification":     `{"email_addresses":["privacy@example.com"],"notify_after_failures":1}`,
		"update_redaction_patterns":            `{"patterns":["internal_.*"]}`,

		"validate_dataset":    dataset,
		"patch_datasets":      "[" + dataset + "]",
		"patch_datasets_yaml": `{"dataset":[` + dataset + `]}`, // which is YAML as well
		"put_dataset_configs": `[{"fides_key":"shop","ctl_dataset_fides_key":"shop"}]`, "patch_dataset_configs": `[{"fides_key":"shop","ctl_dataset_fides_key":"shop"}]`,

		"create_or_update_policies": `[{"name":"Access request","key":"access_request","execution_timeframe":30,"rules":[` +
			`{"name":"Contact data","key":"contact_data","action_type":"access","storage_destination_key":"packages","targets":[{"data_category":"user.contact"}]}]}]`,
		"create_or_update_rules":                   `[{"name":"Delete names","key":"delete_names","action_type":"erasure","masking_strategy":{"strategy":"null_rewrite","configuration":{}}}]`,
		"create_or_update_rule_targets":            `[{"name":"Names","key":"names","data_category":"user.name"}]`,
		"create_or_update_pre_execution_webhooks":  hook("open_ticket", "Open a ticket"),
		"create_or_update_post_execution_webhooks": hook("close_ticket", "Close the ticket"),
		"update_pre_execution_webhook":             `{"direction":"two_way"}`,
		"update_post_execution_webhook":            `{"name":"Close the ticket of the request"}`,
		"create_or_update_pre_approval_webhooks":   `[{"key":"known_customer","name":"Is this a customer?","connection_config_key":"ticket_system"}]`,
		"update_pre_approval_webhook":              `{"name":"Is this a customer of ours?"}`,

		"create_access_manual_webhook":   form,
		"patch_access_manual_webhook":    form,
		"upload_access_manual_webhook":   `{"notes":"Called on 3 March."}`,
		"upload_erasure_manual_webhook":  `{"notes":true}`,
		"complete_manual_field":          `{"field_value":"Called on 3 March."}`,
		"skip_manual_field":              `{"skip_reason":"The help desk has nothing about this person."}`,
		"create_manual_task":             `{"title":"Look into the archive","instructions":"Files lie in the cellar, by name."}`,
		"update_manual_task":             `{"title":"Look into the archive","instructions":"Files lie in the cellar, by number."}`,
		"assign_users_to_manual_task":    `["archive_desk"]`,
		"update_manual_task_conditions":  `[{"field_address":"privacy_request.location_country","operator":"eq","value":"US"}]`,
		"create_connection_manual_field": `{"key":"paper_file","label":"What the paper file says","help_text":"One line for each letter.","field_type":"text","request_type":"access"}`,
		"update_connection_manual_field": `{"label":"The paper file","help_text":"A scan of all of it.","field_type":"attachment","request_type":"access"}`,
		"create_comment":                 `{"comment_text":"Called back, and known to us.","comment_type":"note"}`,

		"create_client":     client,
		"update_client":     client,
		"set_client_scopes": `["privacy-request:create","privacy-request:read"]`,

		"mask_value":  `{"values":["someone@example.com"],"masking_strategy":{"strategy":"hash","configuration":{"algorithm":"SHA-256"}}}`,
		"aes_encrypt": `{"value":"someone@example.com","key":"sixteen-byte-key"}`,
		"aes_decrypt": `{"value":"z8NjSGluSP9a5MVP1/Qtao3tbf2TNMlOvWH4hNFm78AayRc=","key":"sixteen-byte-key","nonce":"ELYrfJPgXfj4kyD4"}`,
	}
	examples := map[string]json.RawMessage{}
	for id, text := range texts {
		examples[id] = json.RawMessage(text)
	}
	d.exampleConnections(examples)
	d.exampleStorage(examples)
	return examples
}

// exampleConnections are one of each use, so far as there is a type for it: a
// database, what webhooks call, and what people answer.
func (d *Door) exampleConnections(examples map[string]json.RawMessage) {
	types := d.engine.Catalogue().ConnectionTypes()
	names := slices.Sorted(maps.Keys(types))
	var list []json.RawMessage
	add := func(key, name string, is func(of string, t dsr.ConnectionType) bool) (fields []dsr.SecretField) {
		at := slices.IndexFunc(names, func(of string) bool { return is(of, types[of]) })
		if at < 0 {
			return nil
		}
		body := jsonText(`{"name":%s,"key":%s,"connection_type":%s,"access":"write"}`, name, key, names[at])
		if fields = types[names[at]].Fields; key == "ticket_system" { // the others get theirs by a call of its own, or have none
			body = jsonText(`{"name":%s,"key":%s,"connection_type":%s,"access":"write","secrets":%s}`, name, key, names[at], exampleSettings(fields))
		}
		list = append(list, body)
		return fields
	}
	fields := add("shop_database", "Shop", func(of string, t dsr.ConnectionType) bool { return t.Connect != nil && !d.isTask(of) })
	add("ticket_system", "Tickets", func(_ string, t dsr.ConnectionType) bool { return t.Hook != nil })
	add("archive", "Paper archive", func(of string, _ dsr.ConnectionType) bool { return d.isTask(of) })
	add("help_desk", "Help desk", func(of string, _ dsr.ConnectionType) bool { return d.isManual(of) })
	if len(list) > 0 {
		examples["patch_connections"] = jsonText(`%s`, list)
	}
	if len(fields) > 0 {
		secrets := jsonText(`%s`, exampleSettings(fields))
		examples["put_connection_secrets"], examples["patch_connection_secrets"] = secrets, secrets
	}
}

// exampleKey is what the examples call what a parameter of a path names; nothing
// for what only the caller knows.
func (d *Door) exampleKey(path, name string) string {
	switch name {
	case "connection_key":
		switch {
		case strings.HasPrefix(path, "/plus/"):
			return "archive"
		case strings.Contains(path, "/access_manual_"), strings.Contains(path, "/erasure_manual_"):
			return "help_desk"
		}
		return "shop_database"
	case "webhook_key":
		switch {
		case strings.Contains(path, "/pre_execution/"):
			return "open_ticket"
		case strings.Contains(path, "/post_execution/"):
			return "close_ticket"
		}
		return "known_customer"
	case "storage_type":
		return d.exampleDestination()
	}
	return map[string]string{
		"policy_key": "access_request", "rule_key": "delete_names", "rule_target_key": "names", "config_key": "packages", "dataset_key": "shop", "fides_key": "shop", "field_id": "paper_file",
	}[name]
}

// exampleDestination is the first type of destinations that takes secrets, or
// else the first that there is.
func (d *Door) exampleDestination() string {
	types := d.engine.Catalogue().DestinationTypes()
	names := slices.Sorted(maps.Keys(types))
	if len(names) == 0 {
		return ""
	}
	return names[max(0, slices.IndexFunc(names, func(name string) bool { return len(types[name].Fields) > 0 }))]
}

func (d *Door) exampleStorage(examples map[string]json.RawMessage) {
	types, first := d.engine.Catalogue().DestinationTypes(), d.exampleDestination()
	if first == "" {
		return
	}
	details, secrets := exampleSettings(types[first].Details), jsonText(`%s`, exampleSettings(types[first].Fields))
	examples["patch_storage"] = jsonText(`[{"name":"Packages","key":"packages","type":%s,"details":%s,"format":"json"}]`, first, details)
	examples["put_default_storage"] = jsonText(`{"type":%s,"details":%s,"format":"json"}`, first, details)
	examples["put_storage_secrets"], examples["put_default_storage_secrets"] = secrets, secrets
}

// jsonText puts values into a JSON text.
func jsonText(format string, values ...any) json.RawMessage {
	for i, v := range values {
		text, err := json.Marshal(v)
		if err != nil { // none is of such a type
			text = []byte("null")
		}
		values[i] = text // printed by %s as it is
	}
	return fmt.Appendf(nil, format, values...)
}

// exampleSettings are the settings that are needed, and those that most have.
func exampleSettings(fields []dsr.SecretField) map[string]string {
	usual := map[string]string{
		"host": "localhost", "dbname": "shop", "username": "dsr", "password": "a-password", "path": "shop.db",
		"url": "https://tickets.example.com/dsr", "authorization": "Bearer a-token",
		"naming": "request_id", "bucket": "packages", "auth_method": "secret_keys",
		"aws_access_key_id": "an-id", "aws_secret_access_key": "a-key", "region_name": "eu-central-1",
	}
	given := map[string]string{}
	for _, f := range fields {
		if value, ok := usual[f.Name]; ok {
			given[f.Name] = value
		} else if !f.Optional {
			given[f.Name] = "a-value"
		}
	}
	return given
}

// nameTypes puts the types that this engine has into the schemas of what is
// created: others are refused.
func (d *Door) nameTypes() {
	put := func(schema, property string, names []string) {
		s := d.schemas.Map()[schema]
		if s == nil || len(names) == 0 { // without types nothing can be created
			return
		}
		slices.Sort(names)
		for _, name := range names {
			s.Properties[property].Enum = append(s.Properties[property].Enum, name)
		}
	}
	put("NewConnection", "connection_type", slices.Collect(maps.Keys(d.engine.Catalogue().ConnectionTypes())))
	destinations := slices.Collect(maps.Keys(d.engine.Catalogue().DestinationTypes()))
	put("NewStorage", "type", slices.Clone(destinations))
	put("DefaultStorage", "type", destinations)
}
