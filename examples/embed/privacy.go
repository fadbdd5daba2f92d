package main

import (
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

//go:embed shop.yml
var datasets embed.FS

// privacyConfig is what does not depend on where the shop runs: the datasets
// and the policies. Unit tests put it on memory adapters.
func privacyConfig() (dsr.Config, error) {
	shop, _, err := graph.LoadFS(datasets, []string{"*.yml"}, &graph.LoadOptions{Strict: true})
	return dsr.Config{
		Datasets: shop,
		Policies: []graph.Policy{
			{Key: "access", Rules: []graph.Rule{
				{Key: "everything", Action: graph.Access, Targets: []graph.Category{"user"}},
			}},
			{Key: "erasure", Rules: []graph.Rule{
				{Key: "forget", Action: graph.Erasure, Targets: []graph.Category{"user.contact", "user.name", "user.content"},
					Masking: &graph.Masking{Strategy: "random_string_rewrite"}},
			}},
		},
	}, err
}

// newEngine puts the shop's database under the engine.
func newEngine(a *app, keyring dsr.Keyring, notifier dsr.Notifier) (*dsr.Engine, error) {
	config, err := privacyConfig()
	if err != nil {
		return nil, err
	}
	config.Connections = []dsr.Connection{
		{Key: "shop", Connector: sqlconn.New(a.db, sqlconn.SQLite, nil), Datasets: []string{"shop"}},
	}
	config.Destinations = map[string]storage.Destination{"folder": storage.NewFolder(a.packages, nil)}
	config.Store = a.store
	config.Spool = dsr.NewDirSpool(a.spool)
	config.Keyring = keyring
	config.Executor = dsr.NewLocalExecutor(nil)
	config.Notifier = notifier
	return dsr.New(config)
}

// loadKeyring reads the keys of the service, or makes them at its first start.
// A real service has them in a secret store: whoever has this file and the
// store's can open what is sealed.
func loadKeyring(dir string) (dsr.Keyring, error) {
	var keys struct{ Lookup, Wrap []byte }
	name := filepath.Join(dir, "keys.json")
	data, err := os.ReadFile(name)
	switch {
	case err == nil:
		err = json.Unmarshal(data, &keys)
	case errors.Is(err, fs.ErrNotExist):
		keys.Lookup, keys.Wrap = make([]byte, 32), make([]byte, 32)
		_, _ = rand.Read(keys.Lookup) // never fails
		_, _ = rand.Read(keys.Wrap)
		if data, err = json.Marshal(keys); err == nil {
			err = os.WriteFile(name, data, 0o600)
		}
	}
	if err != nil {
		return nil, err
	}
	return dsr.NewLocalKeyring(keys.Lookup, dsr.LocalKey{ID: "1", Key: keys.Wrap})
}

// authorized lets only the privacy desk through.
func (a *app) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(a.desk)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(w, http.StatusUnauthorized, "this route is for the privacy desk")
			return
		}
		next(w, r)
	}
}

// requestView is how the shop shows a privacy request.
type requestView struct {
	ID          string           `json:"id"`
	Policy      string           `json:"policy"`
	Status      dsr.Status       `json:"status"`
	FinishedAt  *time.Time       `json:"finished_at,omitempty"`
	Collections []collectionView `json:"collections,omitempty"`
	Failure     string           `json:"failure,omitempty"`
}

type collectionView struct {
	Collection string `json:"collection"`
	Found      int64  `json:"found"`
	Erased     int64  `json:"erased"`
}

func view(req *dsr.Request) requestView {
	v := requestView{ID: req.ID, Policy: req.Policy, Status: req.Status, Failure: req.Failure}
	if !req.FinishedAt.IsZero() {
		v.FinishedAt = &req.FinishedAt
	}
	for _, c := range req.Collections {
		v.Collections = append(v.Collections, collectionView{c.Address.String(), c.Rows, c.Masked})
	}
	return v
}

// submit takes a request; the executor works on it in the background.
func (a *app) submit(w http.ResponseWriter, r *http.Request) {
	var body struct{ Policy, Email string }
	if !decode(w, r, &body) {
		return
	}
	requests := a.engine.Requests()
	same, err := requests.FindByIdentity(r.Context(), "email", body.Email)
	if err != nil {
		a.refuse(w, err)
		return
	}
	open := func(req *dsr.Request) bool {
		return req.Policy == body.Policy && req.Status != dsr.StatusComplete && req.Status != dsr.StatusCanceled
	}
	if slices.ContainsFunc(same, open) {
		fail(w, http.StatusConflict, "a request of this person under this policy is under way")
		return
	}
	req, err := requests.Submit(r.Context(), dsr.Submission{
		Policy: body.Policy, Identities: dsr.Identities{"email": {body.Email}},
	})
	if err != nil {
		a.refuse(w, err)
		return
	}
	w.Header().Set("Location", "/privacy/requests/"+req.ID)
	reply(w, http.StatusAccepted, view(req))
}

func (a *app) show(w http.ResponseWriter, r *http.Request) {
	req, err := a.engine.Requests().Get(r.Context(), r.PathValue("id"))
	if err != nil {
		a.refuse(w, err)
		return
	}
	reply(w, http.StatusOK, view(req))
}

func (a *app) download(w http.ResponseWriter, r *http.Request) {
	req, err := a.engine.Requests().Get(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		a.refuse(w, err)
	case req.Status != dsr.StatusComplete:
		fail(w, http.StatusConflict, "the request is not complete")
	case len(req.Packages) == 0:
		fail(w, http.StatusNotFound, "the policy hands nothing over")
	default:
		http.ServeFile(w, r, filepath.Join(a.packages, req.Packages[0].Name))
	}
}

// refuse turns the library's errors into answers. They hold no personal value,
// so that they may be shown.
func (a *app) refuse(w http.ResponseWriter, err error) {
	var faults *graph.FaultError
	switch {
	case errors.As(err, &faults):
		list := make([]string, len(faults.Faults))
		for i, f := range faults.Faults {
			list[i] = f.String()
		}
		fail(w, http.StatusUnprocessableEntity, "the request cannot be carried out", list...)
	case errors.Is(err, dsr.ErrNotFound):
		fail(w, http.StatusNotFound, "there is no such request or policy")
	case errors.Is(err, dsr.ErrConflict):
		fail(w, http.StatusConflict, "the request was changed meanwhile; try again")
	default:
		fail(w, http.StatusInternalServerError, "something went wrong")
	}
}
