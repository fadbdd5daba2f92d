package oauth_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

const formType = "application/x-www-form-urlencoded"

func post(kind, body string, authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/oauth/token?client_id=url&client_secret=url&scope=url", strings.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for _, a := range authorization {
		r.Header.Set("Authorization", a)
	}
	return r
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func TestParseTokenRequest(t *testing.T) {
	t.Parallel()
	strange := oauth.Credentials{ID: "a b:ü&", Secret: "100% +/=:é"}
	for name, c := range map[string]struct {
		request *http.Request
		client  oauth.Credentials
		scopes  []string
	}{
		"the tutorial's form": {
			post(formType, "grant_type=client_credentials&client_id=fidesopsadmin&client_secret=fidesopsadminsecret"), root(), []string{},
		},
		"a form without grant type": {
			post(formType+"; charset=utf-8", "client_id=fidesopsadmin&client_secret=fidesopsadminsecret&scope=a%20b++c"), root(), []string{"a", "b", "c"},
		},
		"basic without body":       {post("", "", basic(rootID, rootSecret)), root(), []string{}},
		"basic in lower case":      {post("", "", "basic"+strings.TrimPrefix(basic(rootID, rootSecret), "Basic")), root(), []string{}},
		"basic with a form":        {post(formType, "grant_type=client_credentials&scope=a", basic(rootID, rootSecret)), root(), []string{"a"}},
		"both alike":               {post(formType, "client_id=fidesopsadmin&client_secret=fidesopsadminsecret", basic(rootID, rootSecret)), root(), []string{}},
		"both with the ID":         {post(formType, "client_id=fidesopsadmin", basic(rootID, rootSecret)), root(), []string{}},
		"form encoding in basic":   {post("", "", basic(url.QueryEscape(strange.ID), url.QueryEscape(strange.Secret))), strange, []string{}},
		"RFC 6749's own":           {post("", "", "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"), oauth.Credentials{ID: "s6BhdRkqt3", Secret: "7Fjfp0ZBr1KtDRbnfVdmIw"}, []string{}},
		"a colon in the secret":    {post("", "", basic("id", "a:b")), oauth.Credentials{ID: "id", Secret: "a:b"}, []string{}},
		"a bearer token besides":   {post(formType, "client_id=fidesopsadmin&client_secret=fidesopsadminsecret", "Bearer x"), root(), []string{}},
		"an unknown field besides": {post(formType, "client_id=fidesopsadmin&client_secret=fidesopsadminsecret&username="), root(), []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := oauth.ParseTokenRequest(c.request)
			require.NoError(t, err)
			require.Equal(t, c.client, got.Client)
			require.Equal(t, c.scopes, got.Scopes)
		})
	}
}

func TestTokenRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	const good = "client_id=fidesopsadmin&client_secret=fidesopsadminsecret"
	failing := post(formType, good)
	failing.Body = io.NopCloser(iotest.ErrReader(errors.New("cut")))
	for name, c := range map[string]struct {
		request *http.Request
		kind    error
		status  int
		code    string
		detail  string
	}{
		"nothing, and not from the URL": {post("", ""), oauth.ErrCredentials, 401, "invalid_client", "Authentication Failure"},
		"no secret":                     {post(formType, "client_id=fidesopsadmin"), oauth.ErrCredentials, 401, "invalid_client", "Authentication Failure"},
		"no ID":                         {post(formType, "client_secret=x"), oauth.ErrCredentials, 401, "invalid_client", "Authentication Failure"},
		"basic without secret":          {post("", "", basic(rootID, "")), oauth.ErrCredentials, 401, "invalid_client", "Authentication Failure"},
		"basic without colon":           {post("", "", "Basic YWJj"), oauth.ErrCredentials, 401, "invalid_client", "Authentication Failure"},
		"basic without Base64":          {post("", "", "Basic !!!"), oauth.ErrCredentials, 401, "invalid_client", "Authentication Failure"},
		"basic without encoding":        {post("", "", basic("id", "100%")), oauth.ErrCredentials, 401, "invalid_client", "Authentication Failure"},
		"bearer":                        {post("", "", "Bearer x"), oauth.ErrCredentials, 401, "invalid_client", "Authentication Failure"},
		"password grant": {
			post(formType, "grant_type=password&"+good), oauth.ErrRequest, 400, "unsupported_grant_type", "The grant_type must be client_credentials.",
		},
		"two that differ": {
			post(formType, good, basic("other", rootSecret)), oauth.ErrRequest, 400, "invalid_request",
			"Give the credentials in the form or by HTTP Basic, not both.",
		},
		"two secrets that differ": {
			post(formType, good, basic(rootID, "other")), oauth.ErrRequest, 400, "invalid_request",
			"Give the credentials in the form or by HTTP Basic, not both.",
		},
		"a field twice": {
			post(formType, good+"&client_id=fidesopsadmin"), oauth.ErrRequest, 400, "invalid_request", "A field of the form is there twice.",
		},
		"no form":   {post(formType, "client_id=%zz"), oauth.ErrRequest, 400, "invalid_request", "The body is no form."},
		"cut":       {failing, oauth.ErrRequest, 400, "invalid_request", "The body could not be read."},
		"JSON":      {post("application/json", `{}`), oauth.ErrRequest, 415, "invalid_request", "The body must be application/x-www-form-urlencoded."},
		"no type":   {post("", good), oauth.ErrRequest, 415, "invalid_request", "The body must be application/x-www-form-urlencoded."},
		"too large": {post(formType, strings.Repeat("x", 32<<10+1)), oauth.ErrRequest, 413, "invalid_request", "The body must have at most 32768 bytes."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := oauth.ParseTokenRequest(c.request)
			e := refused(t, err, c.kind, c.status, c.detail)
			require.Equal(t, c.code, e.Code)
			require.Zero(t, got)
		})
	}
}

func TestParseRevocationRequest(t *testing.T) {
	t.Parallel()
	got, err := oauth.ParseRevocationRequest(post(formType, "token=abc&token_type_hint=access_token", basic(rootID, rootSecret)))
	require.NoError(t, err)
	require.Equal(t, oauth.RevocationRequest{Client: root(), Token: "abc"}, got)
	got, err = oauth.ParseRevocationRequest(post(formType, "token=abc&client_id=a", "Bearer x"))
	require.NoError(t, err)
	require.Equal(t, oauth.RevocationRequest{Token: "abc"}, got)
	_, err = oauth.ParseRevocationRequest(post(formType, "token=abc&client_id=a&client_secret=b", "Bearer x"))
	refused(t, err, oauth.ErrRequest, http.StatusBadRequest, "Give credentials or a bearer token, not both.")
	for body, kind := range map[string]error{
		"token=abc": oauth.ErrCredentials, "client_id=a&client_secret=b": oauth.ErrRequest, "token=a&token=b": oauth.ErrRequest,
	} {
		_, err = oauth.ParseRevocationRequest(post(formType, body))
		require.ErrorIs(t, err, kind, body)
	}
}

func FuzzParseTokenRequest(f *testing.F) {
	f.Add(formType, "grant_type=client_credentials&client_id=a&client_secret=b&scope=c+d", "")
	f.Add("", "", basic("a%20b", "c%2B"))
	f.Add(formType, "token=x", "Basic "+strings.Repeat("A", 100))
	f.Fuzz(func(t *testing.T, kind, body, authorization string) {
		r := post(kind, body, authorization)
		got, err := oauth.ParseTokenRequest(r)
		var e *oauth.Error
		switch {
		case err == nil:
			require.NotEmpty(t, got.Client.ID)
			require.NotEmpty(t, got.Client.Secret)
		default:
			require.ErrorAs(t, err, &e)
			require.Contains(t, []int{400, 401, 413, 415}, e.Status)
			require.Zero(t, got)
		}
		_, err = oauth.ParseRevocationRequest(post(kind, body, authorization))
		if err != nil {
			require.ErrorAs(t, err, &e)
		}
	})
}
