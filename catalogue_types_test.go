package dsr_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// askedDestination answers to whoever looks for a file.
type askedDestination struct {
	storage.Destination
	answer error
}

func (d askedDestination) Open(context.Context, string) (storage.File, error) { return nil, d.answer }

func TestCatalogueTypesAreThoseOfConfig(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	types := c.engine.Catalogue().ConnectionTypes()
	require.Equal(t, []string{"paper", "shop"}, slices.Sorted(maps.Keys(types)))
	require.Equal(t, "A shop", types["shop"].Title)
	delete(types, "shop")
	require.Contains(t, c.engine.Catalogue().ConnectionTypes(), "shop")
	require.Equal(t, "A folder", c.engine.Catalogue().DestinationTypes()["local"].Title)
}

func TestCatalogueAsksADestination(t *testing.T) {
	t.Parallel()
	denied := errors.New("access denied")
	c := newConfigurable(t)
	c.config.DestinationTypes["asked"] = dsr.DestinationType{
		Details: []dsr.SecretField{{Name: "answer", Optional: true}}, Fields: []dsr.SecretField{{Name: "password", Sensitive: true}},
		Open: func(s dsr.DestinationSettings) (storage.Destination, error) {
			if s.Details["answer"] == "denied" {
				return askedDestination{c.packages, denied}, nil
			}
			return askedDestination{c.packages, fs.ErrNotExist}, nil
		},
	}
	c.engine = newEngine(t, c.config)
	c.update(t, func(d *dsr.Definitions) {
		for key, secrets := range map[string]dsr.Secrets{"good": {"password": "s3cret-canary"}, "denied": {"password": "s3cret-canary"}, "empty": nil} {
			d.Destinations[key] = &dsr.DestinationDefinition{
				Defined: dsr.Defined{Key: key}, Type: "asked", Format: "json", Details: map[string]string{"answer": key}, Secrets: secrets,
			}
		}
		d.Destinations["deaf"] = &dsr.DestinationDefinition{Defined: dsr.Defined{Key: "deaf"}, Type: "local", Format: "json"}
	})
	ask := func(key string) error { return c.engine.Catalogue().PingDestination(t.Context(), key) }
	require.NoError(t, ask("good"))
	require.ErrorIs(t, ask("denied"), denied)
	require.EqualError(t, ask("empty"), `dsr: destination "empty" cannot be used: secret "password" is missing`)
	require.ErrorIs(t, ask("deaf"), dsr.ErrNotFound)
	require.EqualError(t, ask("none"), `dsr: not found: destination "none"`)
}

func TestCatalogueNamesTheDatasetsThatDoNotFitTogether(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	c.update(t, shopDefined)
	c.update(t, func(d *dsr.Definitions) {
		for key, at := range map[string]string{"refs": "nowhere", "ties": "elsewhere"} {
			d.Datasets[key] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: key}, Connection: "db", Source: `{"dataset":[{"fides_key":"` + key +
				`","collections":[{"name":"notes","fields":[{"name":"person","fides_meta":{"references":[{"dataset":"` + at + `","field":"people.id","direction":"from"}]}}]}]}]}`}
		}
	})
	problems := c.problems(t)
	require.Len(t, problems, 2)
	require.Regexp(t, `^dataset refs: refs:notes\.person: .*nowhere`, problems[0])
	require.Regexp(t, `^dataset ties: ties:notes\.person: .*elsewhere`, problems[1])
	_, err := c.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.ErrorContains(t, err, "dataset refs: refs:notes.person: ")
	require.NotContains(t, err.Error(), "dataset : ")
}

func TestCatalogueTriesSettings(t *testing.T) {
	t.Parallel()
	c := newConfigurable(t)
	var closed []string
	c.config.ConnectionTypes["tried"] = dsr.ConnectionType{
		Fields: []dsr.SecretField{{Name: "host"}},
		Connect: func(s dsr.ConnectionSettings) (dsr.Connector, error) {
			switch host := s.Secrets["host"]; host {
			case "wrong":
				return nil, errors.New("no such host can be")
			case "panic":
				panic("a driver")
			default:
				return &closedConnector{close: func() { closed = append(closed, host) }}, nil
			}
		},
	}
	c.engine = newEngine(t, c.config)
	try := func(of, host string) error {
		return c.engine.Catalogue().TryConnection(t.Context(), of, dsr.ConnectionSettings{Key: "db", Secrets: dsr.Secrets{"host": host}})
	}
	require.NoError(t, try("tried", "here"))
	require.Equal(t, []string{"here"}, closed)
	require.EqualError(t, try("tried", "wrong"), "no such host can be")
	require.Error(t, try("tried", "panic"))
	require.NoError(t, try("paper", ""))
	require.ErrorIs(t, try("oracle", ""), dsr.ErrNotFound)
	require.Empty(t, c.problems(t), "nothing is stored")
}

// closedConnector tells that it is closed.
type closedConnector struct {
	dsr.Connector
	close func()
}

func (c *closedConnector) Close() error {
	c.close()
	return nil
}
