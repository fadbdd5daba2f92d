package fides

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

// table is a door with these routes only.
func table(t *testing.T, limits Limits, routes ...route) (*Door, error) {
	t.Helper()
	o := &Options{Verifier: oauth.Chain(), Limits: limits}
	options, err := o.withDefaults()
	require.NoError(t, err)
	d := &Door{options: options, mux: http.NewServeMux(), schemas: huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer), routes: routes}
	d.limiter, d.public = oauth.NewLimiter(nil), oauth.NewLimiter(nil)
	d.document = d.newDocument()
	adapter := humago.NewAdapter(d.mux, "")
	for i := range d.routes {
		if err := d.add(adapter, &d.routes[i]); err != nil {
			return nil, err
		}
	}
	d.files, err = d.renderDocument()
	require.NoError(t, err)
	return d, nil
}

func (d *Door) try(t *testing.T, method, target, media, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	require.NoError(t, d.CheckAnswer(method, r.URL.Path, w.Code, w.Header().Get("Content-Type"), w.Body.Bytes()))
	return w.Code, w.Body.String()
}

// thing is what the routes of these tests are about.
type thing struct {
	Key   string   `json:"key" minLength:"2" maxLength:"4" pattern:"^[a-z]+$"`
	Count *int     `json:"count" required:"false" minimum:"1" maximum:"9"`
	Share *float64 `json:"share" required:"false"`
	On    bool     `json:"on" required:"false"`
}

type thingInput struct {
	Path struct {
		Kind string `json:"kind"`
	}
	Body thing
}

func things() route {
	return route{
		method: "PUT", path: "/things/{kind}", aliases: []place{{"POST", "/thing/{kind}"}, {"PATCH", "/things/{kind}"}},
		public: "a test", id: "put_thing", summary: "Put", tag: "Things",
		call: typed(func(_ context.Context, in *thingInput) (*thing, error) {
			in.Body.Key = in.Path.Kind + in.Body.Key
			return &in.Body, nil
		}),
	}
}

func TestAliasesDoTheSameAndAreInTheDocument(t *testing.T) {
	t.Parallel()
	d, err := table(t, Limits{}, things())
	require.NoError(t, err)
	for _, at := range []place{{"PUT", "/things/x"}, {"POST", "/api/v1/thing/x"}, {"PATCH", "/things/x"}} {
		status, body := d.try(t, at.method, at.path, "application/json; charset=utf-8", `{"key":"ab","count":2.0}`)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, `{"key":"xab","count":2,"share":null,"on":false}`, body)
	}
	require.Equal(t, "put_thing_1", d.document.Paths["/thing/{kind}"].Post.OperationID)
	require.Equal(t, "Another place of PUT /things/{kind}.", d.document.Paths["/things/{kind}"].Patch.Description)
	infos := d.Routes()
	require.Equal(t, []string{"POST /thing/{kind}", "PATCH /things/{kind}", "PUT /things/{kind}"}, []string{
		infos[0].Method + " " + infos[0].Path, infos[1].Method + " " + infos[1].Path, infos[2].Method + " " + infos[2].Path,
	})
	require.Equal(t, "PUT /things/{kind}", infos[0].AliasOf)
}

func TestEveryRuleOfASchemaIsHeld(t *testing.T) {
	t.Parallel()
	d, err := table(t, Limits{}, things())
	require.NoError(t, err)
	for body, want := range map[string]string{
		`{"key":"a"}`:                  `{"type":"string_too_short","loc":["body","key"],"msg":"String should have at least 2 characters"}`,
		`{"key":"abcde"}`:              `{"type":"string_too_long","loc":["body","key"],"msg":"String should have at most 4 characters"}`,
		`{"key":"A1"}`:                 `{"type":"string_pattern_mismatch","loc":["body","key"],"msg":"String should match pattern '^[a-z]+$'"}`,
		`{"key":"a\u0000"}`:            `{"type":"value_error","loc":["body","key"],"msg":"Value error, a text cannot hold the character U+0000"}`,
		`{"key":null}`:                 `{"type":"string_type","loc":["body","key"],"msg":"Input should be a valid string"}`,
		`{"key":"ab","count":0}`:       `{"type":"greater_than_equal","loc":["body","count"],"msg":"Input should be greater than or equal to 1"}`,
		`{"key":"ab","count":10}`:      `{"type":"less_than_equal","loc":["body","count"],"msg":"Input should be less than or equal to 9"}`,
		`{"key":"ab","count":1.5}`:     `{"type":"int_from_float","loc":["body","count"],"msg":"Input should be a valid integer, got a number with a fractional part"}`,
		`{"key":"ab","count":1e300}`:   `{"type":"int_parsing_size","loc":["body","count"],"msg":"Unable to parse input string as an integer, exceeded maximum size"}`,
		`{"key":"ab","count":"1"}`:     `{"type":"int_type","loc":["body","count"],"msg":"Input should be a valid integer"}`,
		`{"key":"ab","share":1e999}`:   `{"type":"float_parsing","loc":["body","share"],"msg":"Input should be a valid number, it is out of range"}`,
		`{"key":"ab","on":1}`:          `{"type":"bool_type","loc":["body","on"],"msg":"Input should be a valid boolean"}`,
		`{"key":"ab","Key":"ab"}`:      `{"type":"extra_forbidden","loc":["body","Key"],"msg":"Extra inputs are not permitted"}`,
		`[]`:                           `{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from"}`,
		`{"key":"a","on":"b","c":"d"}`: `{"type":"string_too_short","loc":["body","key"],"msg":"String should have at least 2 characters"},{"type":"bool_type","loc":["body","on"],"msg":"Input should be a valid boolean"},{"type":"extra_forbidden","loc":["body","c"],"msg":"Extra inputs are not permitted"}`,
	} {
		d.public = oauth.NewLimiter(nil)
		status, answer := d.try(t, "PUT", "/things/x", "application/json", body)
		require.Equal(t, http.StatusUnprocessableEntity, status, body)
		require.Equal(t, `{"detail":[`+want+`]}`, answer)
	}
}

func TestAHandlerMayReadTheBodyItself(t *testing.T) {
	t.Parallel()
	d, err := table(t, Limits{}, route{
		method: "POST", path: "/form", public: "a test", id: "form", summary: "A form", tag: "Things", body: 10,
		accepts: []string{"application/x-www-form-urlencoded", "application/x-yaml"}, form: thing{}, status: http.StatusCreated,
		call: typed(func(_ context.Context, in *struct{ Request *http.Request }) (*thing, error) {
			text, err := io.ReadAll(in.Request.Body)
			return &thing{Key: string(text)}, err
		}),
	})
	require.NoError(t, err)
	status, body := d.try(t, "POST", "/form", "application/x-yaml", "abc")
	require.Equal(t, []any{http.StatusCreated, `{"key":"abc","count":null,"share":null,"on":false}`}, []any{status, body})
	status, _ = d.try(t, "POST", "/form", "application/x-yaml", "12345678901")
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	status, body = d.try(t, "POST", "/form", "application/json", "{}")
	require.Equal(t, []any{http.StatusUnsupportedMediaType, `{"detail":"Content-Type must be application/x-www-form-urlencoded, application/x-yaml"}`}, []any{status, body})
}

func TestARequestThatTakesTooLongIs504(t *testing.T) {
	t.Parallel()
	d, err := table(t, Limits{Timeout: time.Millisecond}, route{
		method: "GET", path: "/slow", public: "a test", id: "slow", summary: "Slow", tag: "Things",
		call: typed(func(ctx context.Context, _ *struct{}) (*nothing, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}),
	})
	require.NoError(t, err)
	status, body := d.try(t, "GET", "/slow", "", "")
	require.Equal(t, []any{http.StatusGatewayTimeout, `{"detail":"The request took too long"}`}, []any{status, body})
}

func TestRoutesThatCannotBeToldApartAreRefused(t *testing.T) {
	t.Parallel()
	another := things()
	another.id, another.aliases, another.path = "another", nil, "/{kind}/x"
	_, err := table(t, Limits{}, things(), another)
	require.ErrorContains(t, err, "fides: route PUT /{kind}/x: ")
}

func TestARouteSaysWhoMayCallItOrWhyEverybody(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*route){
		"neither": func(rt *route) { rt.public = "" },
		"both":    func(rt *route) { rt.scopes = []string{"policy:read"} },
		"no name": func(rt *route) { rt.id = "" },
	} {
		rt := things()
		change(&rt)
		_, err := table(t, Limits{}, rt)
		require.ErrorContains(t, err, "PUT /things/{kind}", name)
	}
}

func TestOnlyAGetIsSaidToAct(t *testing.T) {
	t.Parallel()
	acting := things()
	acting.acts = true
	_, err := table(t, Limits{}, acting)
	require.EqualError(t, err, "fides: PUT /things/{kind}: acts is said of GET only: other methods always do something")
}
