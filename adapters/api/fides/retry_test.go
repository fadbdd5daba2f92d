package fides_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// brittle is a database that can be down.
type brittle struct {
	*memory.Connector
	down atomic.Bool
}

// Read implements [dsr.Connector].
func (b *brittle) Read(ctx context.Context, q *dsr.Query) iter.Seq2[dsr.Row, error] {
	if b.down.Load() {
		return func(yield func(dsr.Row, error) bool) { yield(dsr.Row{}, errors.New("the table is locked")) }
	}
	return b.Connector.Read(ctx, q)
}

// stock is what the catalogue of a desk has: the shop in two collections, the
// second by way of the first.
const stock = `
dataset:
  - fides_key: stock
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
      - name: orders
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - name: customer
            data_categories: [user.unique_id]
            fides_meta: {references: [{dataset: stock, field: customers.id, direction: from}]}
`

// newStock is a desk whose policy, database and destination are defined at run
// time.
func newStock(t *testing.T) (k *desk, db *brittle, token string) {
	t.Helper()
	db = &brittle{Connector: memory.NewConnector(map[string][]map[string]any{
		"customers": {{"id": 1, "email": "nia.vale@example.com"}}, "orders": {{"id": 7, "customer": 1}},
	}, nil)}
	k = newDesk(t, func(k *desk) {
		k.config.ConnectionTypes = map[string]dsr.ConnectionType{"stock": {Connect: func(dsr.ConnectionSettings) (dsr.Connector, error) { return db, nil }}}
		k.config.DestinationTypes = map[string]dsr.DestinationType{
			"local": dsr.FolderDestinationType(t.TempDir(), nil),
			"cloud": {Open: func(dsr.DestinationSettings) (storage.Destination, error) {
				return signer{storage.NewFolder(t.TempDir(), nil)}, nil
			}},
		}
		k.options.AccessResults = true
	})
	k.define(t, func(d *dsr.Definitions) {
		d.Connections["stock"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "stock"}, Type: "stock", Secrets: dsr.Secrets{}}
		d.Datasets["stock"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "stock"}, Connection: "stock", Source: stock}
		for _, kind := range []string{"local", "cloud"} {
			d.Destinations[kind] = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: kind}, Type: kind, Format: "json"}
		}
		d.Policies["stock"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "stock", Name: "Stock"}, Rules: []graph.Rule{
			{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "local"},
		}}
	})
	return k, db, k.token(t)
}

func (k *desk) define(t *testing.T, edit func(*dsr.Definitions)) {
	t.Helper()
	_, err := k.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error { edit(d); return nil })
	require.NoError(t, err)
}

// signer is a destination that signs addresses.
type signer struct{ *storage.Folder }

// Link implements [storage.Linker].
func (signer) Link(_ context.Context, name string, _ time.Duration, fileName string) (string, error) {
	return "https://bucket.example.com/" + name + "?as=" + fileName, nil
}

func TestRetryGoesOnWithThePlanItHasAndReplanTakesTheNewest(t *testing.T) {
	t.Parallel()
	k, db, token := newStock(t)
	db.down.Store(true)
	for range 2 {
		a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"stock","identity":{"email":"nia.vale@example.com"}}]`)
		require.Contains(t, a.Body, `"failed":[]`)
	}
	fail := func(id string) {
		_, err := k.engine.Requests().Advance(t.Context(), id)
		require.Error(t, err)
		require.Contains(t, k.send(t, token, "GET", "/privacy-request/"+id, nil).Body, `"status":"error"`)
	}
	fail("pri_1")
	less, _, _ := strings.Cut(stock, "      - name: orders")
	k.define(t, func(d *dsr.Definitions) { d.Datasets["stock"].Source = less })
	tasks := func(id string) (addresses, upstream []string) {
		var list []struct {
			Address  string   `json:"collection_address"`
			Upstream []string `json:"upstream_tasks"`
		}
		a := k.send(t, token, "GET", "/privacy-request/"+id+"/tasks", nil)
		require.NoError(t, json.Unmarshal([]byte(a.Body), &list), a.Body)
		for _, task := range list {
			addresses, upstream = append(addresses, task.Address), append(upstream, task.Upstream...)
		}
		return addresses, upstream
	}
	old, upstream := tasks("pri_1")
	require.Equal(t, []string{"shop:customers", "stock:customers", "stock:orders"}, old)
	require.Equal(t, []string{"stock:customers"}, upstream)

	a := k.send(t, token, "POST", "/privacy-request/pri_1/retry", nil)
	require.Contains(t, a.Body, `"status":"in_processing"`)
	fail("pri_1")
	still, _ := tasks("pri_1")
	require.Equal(t, old, still)
	a = k.send(t, token, "POST", "/privacy-request/pri_1/retry?replan=true", nil)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	db.down.Store(false)
	_, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	newest, _ := tasks("pri_1")
	require.Equal(t, []string{"shop:customers", "stock:customers"}, newest)

	a = k.send(t, token, "POST", "/privacy-request/pri_1/retry?replan=true", nil)
	require.Equal(t, []any{400, `{"detail":"Cannot replan privacy request 'pri_1': it has not stopped with an error, or has begun to erase (status = complete)."}`}, []any{a.Status, a.Body})
	a = k.send(t, token, "POST", "/privacy-request/pri_1/retry?plan=true", nil)
	require.Equal(t, http.StatusUnprocessableEntity, a.Status)
	db.down.Store(true)
	fail("pri_2")
	r := resultOf(t, k.send(t, token, "POST", "/privacy-request/bulk/retry?replan=true", `["pri_2","pri_1"]`))
	require.Equal(t, "pri_2", r.Succeeded[0].ID)
	require.Contains(t, r.Failed[0].Message, "Cannot replan privacy request 'pri_1'")
}

func TestResultsOfLocalDestinationsAreInTheFolderAndOthersHaveAddresses(t *testing.T) {
	t.Parallel()
	k, _, token := newStock(t)
	results := func(id string) string {
		a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"stock","identity":{"email":"nia.vale@example.com"}}]`)
		require.Contains(t, a.Body, `"failed":[]`)
		_, err := k.engine.Requests().Advance(t.Context(), id)
		require.NoError(t, err)
		a = k.send(t, token, "GET", "/privacy-request/"+id+"/access-results", nil)
		require.Equal(t, http.StatusOK, a.Status, a.Body)
		return a.Body
	}
	require.Equal(t, `{"access_result_urls":["your local fides_uploads folder"]}`, results("pri_1"))
	k.define(t, func(d *dsr.Definitions) { d.Policies["stock"].Rules[0].Destination = "cloud" })
	require.Equal(t, `{"access_result_urls":["https://bucket.example.com/pri_2.json?as=personal-data-pri_2.json"]}`, results("pri_2"))
	link, _, err := k.engine.Downloads().Link(t.Context(), "pri_2", "", nil)
	require.NoError(t, err)
	a := k.send(t, "", "GET", "/privacy-request/pri_2/access-package?token="+link, nil)
	require.Equal(t, []any{302, "https://bucket.example.com/pri_2.json?as=personal-data-pri_2.json"}, []any{a.Status, a.Header.Get("Location")})
}

func TestAOneTimeLinkWorksOnce(t *testing.T) {
	t.Parallel()
	k, _ := complete(t)
	link, _, err := k.engine.Downloads().Link(t.Context(), "pri_1", "", &dsr.LinkOptions{Once: true})
	require.NoError(t, err)
	target := "/privacy-request/pri_1/access-package?token=" + link
	require.Equal(t, http.StatusOK, k.send(t, "", "HEAD", target, nil).Status)
	require.Equal(t, http.StatusOK, k.send(t, "", "GET", target, nil).Status)
	for _, method := range []string{"GET", "HEAD"} {
		require.Equal(t, http.StatusUnauthorized, k.send(t, "", method, target, nil).Status)
	}
	for _, wrong := range []string{link[:len(link)-1], link + "A", "a.b.c"} {
		require.Equal(t, http.StatusUnauthorized, k.send(t, "", "GET", "/privacy-request/pri_1/access-package?token="+wrong, nil).Status, wrong)
	}
}

func TestAPolicyThatVerifiesNobodyTakesNoPublicRequests(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) {
		k.config.Flow.VerifyIdentity = true
		k.config.Flows = map[string]dsr.Flow{"erase": {}}
		k.options.PublicIntake = true
	})
	const body = `[{"policy_key":"erase","identity":{"email":"nia.vale@example.com"}}]`
	a := k.send(t, "", "POST", "/privacy-request", body)
	require.JSONEq(t, `{"succeeded":[],"failed":[{"message":"Requests under policy erase cannot be created in public: nobody would verify them","data":`+body[1:len(body)-1]+`}]}`, a.Body)
	a = k.send(t, "", "POST", "/privacy-request", `[{"policy_key":"nix","identity":{"email":"nia.vale@example.com"}}]`)
	require.Contains(t, a.Body, `"message":"Policy with key nix does not exist"`)
	a = k.send(t, k.token(t, "privacy-request:create"), "POST", "/privacy-request/authenticated", body)
	require.Contains(t, a.Body, `"failed":[]`)
	k.define(t, func(d *dsr.Definitions) {
		d.Policies["new"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "new"}}
	})
	a = k.send(t, "", "POST", "/privacy-request", `[{"policy_key":"new","identity":{"email":"nia.vale@example.com"}}]`)
	require.Contains(t, a.Body, `"message":"This record could not be added"`)
	require.Contains(t, k.logs.String(), `"error":"fides: policy \"new\" is not ready: it has no rules"`)
	_, err := fides.New(k.engine, &k.options)
	require.NoError(t, err)
}

func TestATokenThatIsNoneIsRefusedBeforeTheBody(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	k.submit(t, "access", 1)
	for _, target := range []string{"/privacy-request/pri_1/resume", "/privacy-request/nix/resume"} {
		for _, body := range []string{"", "{", `{"x":1}`, `{}`} {
			for _, token := range []string{"x", "x y", "\"x\"", strings.Repeat("x", 16<<10+1)} {
				a := k.send(t, token, "POST", target, body)
				require.Equal(t, []any{403, `{"detail":"Not Authorized for this action"}`}, []any{a.Status, a.Body}, body)
			}
		}
	}
}
