package fides_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

const officeYAML = `
dataset:
  - fides_key: postgres_example
    collections:
      - name: customer
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
`

// office is a desk over the table of the guide to manual requests, whose
// packages lie in a folder, with types of connections that people answer.
func office(t *testing.T, change func(*desk)) (k *desk, folder string) {
	t.Helper()
	folder = t.TempDir()
	k = newDesk(t, func(k *desk) {
		datasets, _, err := graph.LoadFS(fstest.MapFS{"office.yml": {Data: []byte(officeYAML)}}, []string{"*.yml"}, nil)
		require.NoError(t, err)
		rows := map[string][]map[string]any{"customer": {{"name": "Jane Customer", "email": "customer-3@example.com", "id": 1}}}
		k.config.Datasets = datasets
		k.config.Connections = []dsr.Connection{{Key: "db", Connector: memory.NewConnector(rows, nil), Datasets: []string{"postgres_example"}}}
		k.config.ConnectionTypes = map[string]dsr.ConnectionType{"manual_webhook": {}, "manual_request": {}, "https": {}}
		k.config.Destinations = map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(folder, nil)}}
		k.config.Files = storage.NewFolder(t.TempDir(), nil)
		if change != nil {
			change(k)
		}
	})
	return k, folder
}

// connect defines a connection of a type.
func (k *desk) connect(t *testing.T, key, kind string) {
	t.Helper()
	_, err := k.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Connections[key] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: key, Name: "Manual " + key}, Type: kind, ReadOnly: true}
		return nil
	})
	require.NoError(t, err)
}

// process submits a request of the customer and takes it as far as it goes.
func (k *desk) process(t *testing.T, policy string) *dsr.Request {
	t.Helper()
	req, err := k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: policy, Identities: dsr.Identities{"email": {"customer-3@example.com"}}})
	require.NoError(t, err)
	return k.advance(t, req.ID)
}

func (k *desk) advance(t *testing.T, id string) *dsr.Request {
	t.Helper()
	req, err := k.engine.Requests().Advance(t.Context(), id)
	require.NoError(t, err)
	return req
}

// packageOf is the text of the only package of a request.
func packageOf(t *testing.T, folder string, req *dsr.Request) string {
	t.Helper()
	require.Len(t, req.Packages, 1)
	text, err := os.ReadFile(filepath.Join(folder, req.Packages[0].Name))
	require.NoError(t, err)
	return string(text)
}

// part is a text of a form, or a file that has a name.
type part struct{ name, file, content string }

// multipart sends a form with texts and files.
func (k *desk) multipart(t *testing.T, token, target string, parts ...part) *answer {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range parts {
		var to io.Writer
		var err error
		if p.file != "" {
			to, err = w.CreateFormFile(p.name, p.file)
		} else {
			to, err = w.CreateFormField(p.name)
		}
		require.NoError(t, err)
		_, err = io.WriteString(to, p.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+token)
	return k.do(t, r)
}

// want checks status and body of an answer.
func (a *answer) want(t *testing.T, status int, body string) {
	t.Helper()
	require.Equal(t, body, a.Body)
	require.Equal(t, status, a.Status)
}

// is checks the status of an answer.
func (a *answer) is(t *testing.T, status int) {
	t.Helper()
	require.Equal(t, status, a.Status, a.Body)
}
