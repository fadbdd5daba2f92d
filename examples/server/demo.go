package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/graph"
)

//go:embed demo.sql
var demoSQL string

//go:embed demo.yml
var demoDataset string

const demoClient = "demo"

// demoCredentials are those of a root client for the demo, with a secret that is
// made at the first start.
func (s *service) demoCredentials() (oauth.Credentials, error) {
	secret, err := readOrMake(s.path("demo-secret"), func() ([]byte, error) { return []byte(rand.Text()), nil })
	return oauth.Credentials{ID: demoClient, Secret: string(secret)}, err
}

// makeDemo makes the shop, and what the catalogue says about it, unless they are
// there.
func (s *service) makeDemo(ctx context.Context) error {
	if err := s.makeShop(ctx); err != nil {
		return err
	}
	_, err := s.engine.Catalogue().Update(ctx, func(d *dsr.Definitions) error {
		if d.Version > 0 { // it is as somebody left it
			s.demoMissing = d.Policies["demo_access"] == nil
			return nil
		}
		named := func(key, name string) dsr.Defined { return dsr.Defined{Key: key, Name: name} }
		d.Connections["demo_shop"] = &dsr.ConnectionDefinition{
			Defined: named("demo_shop", "The demo shop"), Type: "sqlite", Secrets: dsr.Secrets{"path": "shop.db"},
		}
		d.Datasets["demo_shop"] = &dsr.DatasetDefinition{Defined: named("demo_shop", "The demo shop"), Connection: "demo_shop", Source: demoDataset}
		d.Destinations["demo_folder"] = &dsr.DestinationDefinition{Defined: named("demo_folder", "Local folder"), Type: "local", Format: "json"}
		d.Policies["demo_access"] = &dsr.PolicyDefinition{Defined: named("demo_access", "Access"), Rules: []graph.Rule{{
			Key: "demo_everything", Name: "Everything", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "demo_folder",
		}}}
		d.Policies["demo_erasure"] = &dsr.PolicyDefinition{Defined: named("demo_erasure", "Erasure"), Rules: []graph.Rule{{
			Key: "demo_forget", Name: "Forget", Action: graph.Erasure, Targets: []graph.Category{"user.contact", "user.name", "user.content"},
			Masking: &graph.Masking{Strategy: "random_string_rewrite"},
		}}}
		return nil
	})
	return err
}

// makeShop makes the shop's database in one transaction.
func (s *service) makeShop(ctx context.Context) (err error) {
	file, err := os.OpenFile(s.path("databases/shop.db"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	address := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(file.Name()), RawQuery: url.Values{"_pragma": {"busy_timeout(5000)"}}.Encode()}
	db, err := sql.Open("sqlite", address.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'customers'").Scan(&tables); err != nil || tables > 0 {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, demoSQL); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// tryIt are lines to paste into another terminal.
func (s *service) tryIt(addr string) string {
	where := "another terminal"
	if s.ownRoot {
		where += " where " + oauth.EnvRootID + " and " + oauth.EnvRootSecret + " are set as for this server"
	}
	request := s.curl(addr, "", `[{"policy_key":"demo_access","identities":[{"email":"nia.vale@example.com"}]}]`)
	const there = "the package is in the folder a moment later:\n\n"
	if !s.approval {
		return "Paste this into " + where + "; " + there + request
	}
	return "Paste this into " + where + "; the request then waits for approval:\n\n" + request +
		"\nTo approve it, paste this there; " + there +
		s.curl(addr, "/administrate/approve -X PATCH", `{"filters":{"identity":"nia.vale@example.com","status":["pending"]}}`)
}

// curl is a line of a shell that takes a token and sends a body.
func (s *service) curl(addr, to, body string) string {
	api, id, secret, first := "http://"+addr+"/api/v1", demoClient, "$(cat "+quoted(s.path("demo-secret"))+")", ""
	if s.ownRoot { // which is not printed
		needed := func(name string) string { return `"${` + name + `:?set it as for the server}" ` }
		id, secret = "$"+oauth.EnvRootID, "$"+oauth.EnvRootSecret
		first = ": " + needed(oauth.EnvRootID) + needed(oauth.EnvRootSecret) + "&& "
	}
	return "  " + first + "curl -s " + api + "/privacy-request" + to + " -H \"Authorization: Bearer $(curl -s " + api + "/oauth/token -d grant_type=client_credentials" +
		` --data-urlencode "client_id=` + id + `" --data-urlencode "client_secret=` + secret + `"` +
		" | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\" -H 'Content-Type: application/json' -d " + quoted(body) + "\n"
}

// quoted is a word of a shell.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
