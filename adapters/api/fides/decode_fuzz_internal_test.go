package fides

import (
	"context"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/memory"
)

func FuzzStamp(f *testing.F) {
	for _, text := range []string{
		"2026-03-01T12:00:00.000001Z", "2026-03-01", "2026-03-01 12:00:00+02:00", "9999-12-31T23:59:59-14:00", "0000-01-01T00:00:00+14:00", "2024-02-29T23:59:60Z", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again stamp
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		shown, err := s.MarshalText()
		require.NoError(t, err)
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`, string(shown))
		require.NoError(t, again.UnmarshalText(shown))
		require.Equal(t, s.time().Truncate(time.Microsecond), again.time())
	})
}

var e164Form = regexp.MustCompile(`^\+[0-9]+$`)

func FuzzPhone(f *testing.F) {
	for _, text := range []string{"+1 (123) 456-7891", "+11234567891", "tel:+49-30-1234;ext=5", "0030 1234", "+", "+999", "++1 650 253 0000", "+39 02 3661 8300", "+1110000AAA0000"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		number, wrong := e164(text)
		if wrong != "" {
			return
		}
		require.Regexp(t, e164Form, number)
		again, wrong := e164(number)
		require.Empty(t, wrong, number)
		require.Equal(t, number, again, "what is looked for is what was kept")
	})
}

func FuzzScalars(f *testing.F) {
	for _, text := range []string{`{"a":"b","c":1.50,"d":true,"e":null}`, `null`, `{}`, `{"a":"1","a":2}`, `{"\u0000":"\ud800"}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again scalars
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		kept, err := json.Marshal(map[string]string(s))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(kept, &again))
		require.Equal(t, s, again)
	})
}

func FuzzWholeNumbers(f *testing.F) {
	for _, text := range []string{
		"0", "-0", "0e9", "-0.000e-7", "1.0", "1e3", "-12.50e1", "1e-400", "0.0010e3", "1.5", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
		"9007199254740993.0", "922337203685477580.7e1", "9223372036854775807.0000000000000000001", "10e17", "10e18", "1e-99", "123e-3",
	} {
		f.Add(text)
	}
	powers := regexp.MustCompile(`[eE][+-]?[0-9]{4}`) // big.Rat writes them out
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || strings.Trim(text, "+-.0123456789eE") != "" || powers.MatchString(text) {
			return
		}
		rational, ok := new(big.Rat).SetString(text)
		require.True(t, ok)
		whole, fits := decimalOf(json.Number(text)).int64()
		require.Equal(t, rational.IsInt() && rational.Num().IsInt64(), fits)
		if fits {
			require.Equal(t, rational.Num().Int64(), whole)
		}
	})
}

// A power of ten that no number can have costs nothing.
func TestHugePowersAreRead(t *testing.T) {
	t.Parallel()
	for text, whole := range map[string]bool{"0e999999999999999999999": true, "0e-999999999999999999999": true, "1e999999999999999999999": false, "1e-999999999999999999999": false} {
		n, fits := decimalOf(json.Number(text)).int64()
		require.Equal(t, whole, fits, text)
		require.Zero(t, n, text)
	}
}

// bareDoor is a door with all routes.
func bareDoor(t testing.TB) *Door {
	t.Helper()
	engine, err := dsr.New(dsr.Config{
		Store: memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(), Notifier: memory.NewNotifier(),
		ConnectionTypes: map[string]dsr.ConnectionType{"postgres": {Fields: []dsr.SecretField{{Name: "host"}, {Name: "port", Optional: true}}}},
	})
	require.NoError(t, err)
	server, err := oauth.New(&oauth.Options{
		Records: oauth.NewMemoryRecords(), Key: []byte(strings.Repeat("k", 32)), Root: oauth.Credentials{ID: "root", Secret: strings.Repeat("s", 32)},
	})
	require.NoError(t, err)
	door, err := New(engine, &Options{OAuth: server, Limits: Limits{PerMinute: 1 << 30, PublicPerMinute: 1 << 30, TokensPerMinute: 1 << 30}})
	require.NoError(t, err)
	return door
}

// FuzzInput reads queries and bodies for every route: what the schemas let
// through must fit what the handlers take, and what they do not is the caller's
// fault.
func FuzzInput(f *testing.F) {
	door := bareDoor(f)
	for i := range door.routes {
		f.Add(i, "page=2&size=10", `{"policy_key":"access","identity":{"email":"nia.vale@example.com","device":{"label":"D","value":[1,"2"]}}}`)
		f.Add(i, "status=pending&created_lt=2026-03-01", `["pri_1"]`)
		f.Add(i, "verify=f", `{"filters":{"status":["pending"],"created_gt":"9999-12-31T23:59:59-14:00"},"exclude_ids":[]}`)
		f.Add(i, "", `[{"key":"a","name":"b","connection_type":"postgres","access":"read","secrets":{"host":"x","port":1e3}}]`)
	}
	f.Fuzz(func(t *testing.T, at int, query, body string) {
		rt := &door.routes[uint(at)%uint(len(door.routes))]
		r := httptest.NewRequest(rt.method, "/", strings.NewReader(body))
		r.URL.RawQuery = query
		if path := rt.schemas["Path"]; path != nil {
			for name := range path.Properties {
				r.SetPathValue(name, query)
			}
		}
		in := reflect.New(rt.call.in).Interface()
		err := door.read(rt, r, in)
		if err == nil {
			if c, ok := in.(interface{ check() []fault }); ok {
				err = invalid(c.check()...)
			}
		}
		if err != nil {
			require.Less(t, failureOf(err).status, http.StatusInternalServerError, "%v", err)
		}
	})
}

// FuzzIdentity takes what the schema admits into identities.
func FuzzIdentity(f *testing.F) {
	for _, text := range []string{
		`{"email":"nia.vale@example.com","phone_number":"+1 123 456 7891"}`, `{"device":{"label":"D","value":[1,"2"]}}`, `{"n":12345678901234567890,"m":1e400}`, `null`, `{"a":[[]]}`,
		`{"phone_number":"+1110000AAA0000"}`,
	} {
		f.Add(text)
	}
	door := bareDoor(f)
	schema := identity{}.Schema(door.schemas)
	f.Fuzz(func(t *testing.T, text string) {
		var tree any
		if unmarshalNumbers([]byte(text), &tree) != nil {
			return
		}
		tree, faults := door.validate(schema, tree, nil)
		if len(faults) > 0 {
			return
		}
		var id identity
		require.NoError(t, decode(tree, &id))
		if len(id.check()) > 0 {
			return
		}
		for kind, values := range joined(id) {
			for _, v := range values {
				require.NotEmpty(t, v)
				require.Equal(t, v, normal(kind, v), "what is looked for is what was kept")
			}
		}
	})
}

func FuzzForm(f *testing.F) {
	const head = "--x\r\nContent-Disposition: form-data; name=\"attachment_type\"\r\n\r\ninternal_use_only\r\n"
	f.Add(head + "--x\r\nContent-Disposition: form-data; name=\"attachment_file\"; filename=\"a.txt\"\r\n\r\nabc\r\n--x--\r\n")
	f.Add(head + head)
	f.Add("--x\r\nContent-Disposition: form-data; name=attachment_file; filename*=utf-8''%00.pdf\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n--x--")
	f.Add("--x\r\n\r\n--x--")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		files := 0
		form := &formReader{texts: map[string]bool{"attachment_type": true}, files: "attachment_file"}
		form.file = func(_ context.Context, _ map[string]string, file *formFile) error {
			files++
			require.NotEmpty(t, strings.TrimSpace(file.name))
			require.NotEmpty(t, file.media)
			require.NotContains(t, file.name, "/")
			_, err := io.Copy(io.Discard, file.content)
			if err != nil {
				return formBroken(err)
			}
			return nil
		}
		texts, err := form.read(r)
		require.LessOrEqual(t, files, 1)
		if err != nil {
			require.Less(t, failureOf(err).status, http.StatusInternalServerError, "%v", err)
			return
		}
		for name, text := range texts {
			require.Equal(t, "attachment_type", name)
			require.NotContains(t, text, "\x00")
		}
	})
}

// FuzzPlace asks for what comes after a place in a list, and for what IDs name.
func FuzzPlace(f *testing.F) {
	for _, text := range []string{"", "tok_1", "a/b", "YWNjZXNzL3BhcGVyOmFyY2hpdmUKbm90ZQ", "%00", strings.Repeat("x", 201)} {
		f.Add(text)
	}
	door := bareDoor(f)
	token, err := door.options.OAuth.Token(context.Background(), "root", strings.Repeat("s", 32), nil)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		for _, target := range []struct{ method, before, after string }{
			{"GET", "/oauth/client/root/token?after=", ""}, {"GET", "/privacy-request/", ""}, {"GET", "/privacy-request/pri_1/access-package?token=", ""},
			{"POST", "/privacy-request/pri_1/manual-field/", "/skip"}, {"GET", "/plus/privacy-request/pri_1/comment/", ""},
		} {
			r := httptest.NewRequest(target.method, "/", http.NoBody)
			escape := url.PathEscape
			if strings.HasSuffix(target.before, "=") {
				escape = url.QueryEscape
			}
			var err error
			if r.URL, err = r.URL.Parse(target.before + escape(text) + target.after); err != nil {
				return
			}
			r.Header.Set("Authorization", "Bearer "+token.Value)
			w := httptest.NewRecorder()
			door.ServeHTTP(w, r)
			require.Less(t, w.Code, http.StatusInternalServerError, "%s %s: %s", target.method, target.before, w.Body)
		}
	})
}
