package fides

import (
	"context"
	"errors"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

// masked is shown in the place of a secret.
const masked = "**********"

// connectionView is a connection as Fides shows it.
type connectionView struct {
	Name          *string                     `json:"name"`
	Key           string                      `json:"key"`
	Description   *string                     `json:"description"`
	Type          *string                     `json:"connection_type" doc:"Null for connections of the host's configuration."`
	Access        string                      `json:"access" enum:"read,write"`
	CreatedAt     *stamp                      `json:"created_at"`
	UpdatedAt     *stamp                      `json:"updated_at"`
	Disabled      bool                        `json:"disabled"`
	TestedAt      *stamp                      `json:"last_test_timestamp" doc:"To the minute, while tests of the same connection end alike."`
	TestSucceeded *bool                       `json:"last_test_succeeded"`
	Authorized    bool                        `json:"authorized" doc:"Always false."`
	Actions       absent                      `json:"enabled_actions" doc:"Always null: all of them."`
	Secrets       nullable[map[string]string] `json:"secrets" doc:"Those that are sensitive are masked. Null without the scope connection:read."`
	Saas          absent                      `json:"saas_config" doc:"Always null."`
	Systems       []string                    `json:"linked_systems" nullable:"false" maxItems:"0" doc:"Always empty."`
	System        *absent                     `json:"system_key,omitempty" doc:"Of a connection alone, and then null."`
}

// viewConnection shows a connection alone.
func (d *Door) viewConnection(ctx context.Context, def *dsr.ConnectionDefinition) (*connectionView, error) {
	tests, err := d.engine.Catalogue().Tests(ctx, def)
	if err != nil {
		return nil, err
	}
	return d.viewTested(ctx, def, tests)
}

// viewTested shows a connection of which the test is among those that are given,
// also as part of what else it is about: its secrets, even those that are not
// sensitive, such as a host, are for those who may read connections.
func (d *Door) viewTested(ctx context.Context, def *dsr.ConnectionDefinition, tests map[string]dsr.ConnectionTest) (*connectionView, error) {
	v := &connectionView{
		Name: textOf(def.Name), Key: def.Key, Description: textOf(def.Description), Type: textOf(def.Type), Access: "write",
		CreatedAt: stampOf(def.CreatedAt), UpdatedAt: stampOf(def.UpdatedAt), Disabled: def.Disabled, Systems: []string{},
	}
	if def.ReadOnly {
		v.Access = "read"
	}
	if test, ok := tests[def.Key]; ok {
		v.TestedAt, v.TestSucceeded = stampOf(test.At), &test.OK
	}
	if !may(ctx, oauth.ScopeConnectionRead) {
		return v, nil
	}
	secrets, err := d.shownSecrets(ctx, def)
	if err != nil {
		return nil, err
	}
	if secrets != nil {
		v.Secrets = present(secrets)
	}
	return v, nil
}

// shownSecrets are the secrets of a connection, masked. They are opened only if
// any may be seen.
func (d *Door) shownSecrets(ctx context.Context, def *dsr.ConnectionDefinition) (map[string]string, error) {
	if len(def.SecretNames) == 0 {
		return nil, nil
	}
	fields := d.engine.Catalogue().ConnectionTypes()[def.Type].Fields
	if !slices.ContainsFunc(fields, func(f dsr.SecretField) bool { return !f.Sensitive && slices.Contains(def.SecretNames, f.Name) }) {
		return showSecrets(fields, def.SecretNames, nil), nil
	}
	secrets, err := d.engine.Catalogue().Secrets(ctx, dsr.CatalogueConnection, def.Key)
	if err != nil && !errors.Is(err, dsr.ErrNotFound) { // that was there just now
		return nil, err
	}
	return showSecrets(fields, def.SecretNames, secrets), nil
}

// systemType is what Fides calls the kind of system behind a connection: what
// has datasets is a database, unless people answer it, and the rest is searched,
// or called, by hand.
func (d *Door) systemType(def *dsr.ConnectionDefinition) string {
	if def.Fixed || d.engine.Catalogue().ConnectionTypes()[def.Type].Connect != nil && !d.isTask(def.Type) {
		return "database"
	}
	return "manual"
}
