//go:build compat

package compat_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// files are all dataset files with what each holds: the keys of its datasets,
// how many collections each has, and what the loader warns of.
var files = map[string]struct {
	collections map[string]int
	warnings    []string
}{
	"dataset/bigquery_enterprise_test_dataset.yml": {collections: map[string]int{"enterprise_dsr_testing": 5}},
	"dataset/bigquery_example_test_dataset.yml": {
		collections: map[string]int{"bigquery_example_test_dataset": 13},
		warnings: []string{
			"dataset/bigquery_example_test_dataset.yml:42:15: warning: bigquery_example_test_dataset:customer.extra_address_data: unknown key type in the fides_meta of a field: did you mean data_type?",
			"dataset/bigquery_example_test_dataset.yml:56:17: warning: bigquery_example_test_dataset:customer.extra_address_data.address_id: the key references has no effect here: it belongs to the fides_meta of a field",
			"dataset/bigquery_example_test_dataset.yml:291:15: warning: bigquery_example_test_dataset:customer_profile.contact_info: unknown key type in the fides_meta of a field: did you mean data_type?",
		},
	},
	"dataset/dynamodb_example_test_dataset.yml": {collections: map[string]int{"dynamodb_example_test_dataset": 4}},
	"dataset/email_dataset.yml":                 {collections: map[string]int{"email_dataset": 3}},
	"dataset/example_test_datasets.yml":         {collections: map[string]int{"mssql_example_test_dataset": 11, "mariadb_example_test_dataset": 11}},
	"dataset/manual_dataset.yml":                {collections: map[string]int{"manual_input": 2}},
	"dataset/mongo_example_test_dataset.yml": {
		collections: map[string]int{"mongo_test": 9},
		warnings: []string{
			"dataset/mongo_example_test_dataset.yml:68:15: warning: mongo_test:customer_details.travel_identifiers: the key data_categories has no effect here: it belongs to a field",
		},
	},
	"dataset/mssql_example_test_dataset.yml":                    {collections: map[string]int{"mssql_example_test_dataset": 11}},
	"dataset/mysql_example_test_dataset.yml":                    {collections: map[string]int{"mysql_example_test_dataset": 12}},
	"dataset/postgres_example_custom_request_field_dataset.yml": {collections: map[string]int{"postgres_example_custom_request_field_dataset": 1}},
	"dataset/postgres_example_test_dataset.yml":                 {collections: map[string]int{"postgres_example_test_dataset": 11}},
	"dataset/redshift_example_test_dataset.yml":                 {collections: map[string]int{"redshift_example_test_dataset": 11}},
	"dataset/snowflake_example_test_dataset.yml":                {collections: map[string]int{"snowflake_example_test_dataset": 11}},
	"flaskr/dataset.yml": {
		collections: map[string]int{"flaskr_postgres_dataset": 3},
		warnings: []string{
			"flaskr/dataset.yml:100:7: warning: flaskr_postgres_dataset:users.password: the key data_qualifier has no effect on requests",
		},
	},
}

// services are the datasets of REST services, all with the key
// <instance_fides_key>, and how many collections each has.
var services = map[string]int{
	"ada_chatbot": 1, "adobe_sign": 2, "aircall": 2, "appsflyer": 1, "attentive": 0, "braintree": 2, "datadog": 1,
	"delighted": 2, "firebase_auth": 1, "fullstory": 1, "gong": 1, "google_analytics": 0, "greenhouse": 1, "heap": 1,
	"jira": 1, "klaviyo": 1, "mailchimp": 3, "microsoft_advertising": 0, "onesignal": 1, "openweb": 1, "qualtrics": 1,
	"recurly": 3, "rollbar": 3, "segment": 4, "sentry": 6, "shipstation": 2, "simon_data": 1, "sparkpost": 2,
	"square": 3, "stripe": 13, "talkable": 1, "twilio_sms": 1, "unbounce": 2, "vend": 2, "wunderkind": 0,
}

// refused are the files that are no datasets, and what is told of them.
var refused = map[string]string{
	"dataset/example_test_dataset.invalid": "dsr: dataset/example_test_dataset.invalid:2:3: error: not YAML: did not find expected alphabetic or numeric character",
	"dataset/postgres_example_invalid_masking_strategy_override_dataset.yml": "dsr: dataset/postgres_example_invalid_masking_strategy_override_dataset.yml:41:17: error: " +
		`postgres_example_invalid_masking_strategy_override:employee.name: the masking strategy "hash" needs a secret, which a field's override has none of: name it in the policy's rule`,
}

func TestDatasetsLoad(t *testing.T) {
	t.Parallel()
	for name, want := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			datasets, diags := graph.Load(name, []byte(read(t, name)), nil)
			require.NoError(t, diags.Err())
			require.Equal(t, want.collections, countCollections(datasets))
			require.Equal(t, want.warnings, texts(diags))
		})
	}
}

func TestServiceDatasetsLoad(t *testing.T) {
	t.Parallel()
	warnings := map[string][]string{
		"saas/dataset/braintree_dataset.yml": {
			"saas/dataset/braintree_dataset.yml:54:13: warning: <instance_fides_key>:transactions.paymentMethodSnapshot: the key data_type has no effect here: it belongs to the fides_meta of a field",
		},
	}
	for service, collections := range services {
		name := "saas/dataset/" + service + "_dataset.yml"
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			datasets, diags := graph.Load(name, []byte(read(t, name)), nil)
			require.NoError(t, diags.Err())
			require.Equal(t, map[string]int{"<instance_fides_key>": collections}, countCollections(datasets))
			require.Equal(t, warnings[name], texts(diags))
			m, err := graph.NewDataMap(datasets...)
			require.NoError(t, err)
			require.Len(t, m.Addresses(), collections)
		})
	}
}

func TestInvalidDatasetsAreRefused(t *testing.T) {
	t.Parallel()
	for name, want := range refused {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			datasets, diags := graph.Load(name, []byte(read(t, name)), nil)
			require.EqualError(t, diags.Err(), want)
			require.Empty(t, datasets)
		})
	}
}

// No dataset of the folder is left out of the tests above.
func TestEveryDatasetIsTested(t *testing.T) {
	t.Parallel()
	tested := slices.Concat(slices.Collect(maps.Keys(files)), slices.Collect(maps.Keys(refused)))
	for service := range services {
		tested = append(tested, "saas/dataset/"+service+"_dataset.yml")
	}
	var there []string
	for _, pattern := range []string{"dataset/*", "flaskr/*.yml", "saas/dataset/*"} {
		names, err := fs.Glob(os.DirFS(dataDir(t)), pattern)
		require.NoError(t, err)
		there = append(there, names...)
	}
	require.ElementsMatch(t, there, tested)
}

func TestStrictLoadingRefusesWhatHasNoEffect(t *testing.T) {
	t.Parallel()
	const name = "dataset/mongo_example_test_dataset.yml"
	datasets, diags := graph.Load(name, []byte(read(t, name)), &graph.LoadOptions{Strict: true})
	require.EqualError(t, diags.Err(), "dsr: "+name+":68:15: error: mongo_test:customer_details.travel_identifiers: the key data_categories has no effect here: it belongs to a field")
	require.Empty(t, datasets)
}

// Datasets that refer to each other make one data map.
func TestWholeDataMap(t *testing.T) {
	t.Parallel()
	var names []string
	for name := range files {
		if name != "dataset/mssql_example_test_dataset.yml" { // example_test_datasets.yml has it too
			names = append(names, name)
		}
	}
	datasets, diags, err := graph.LoadFS(os.DirFS(dataDir(t)), names, nil)
	require.NoError(t, err)
	require.Len(t, diags, 5)
	require.Len(t, datasets, 14)
	m, err := graph.NewDataMap(datasets...)
	require.NoError(t, err)
	require.Len(t, m.Addresses(), 5+13+4+3+11+11+2+9+12+1+11+11+11+3)
	require.Equal(t, []string{"custom_id", "email", "phone_number", "stackoverflow_user_id"}, m.IdentityKinds())

	policy := policy(access("user"))
	plan, err := graph.NewPlan(m, &policy, []string{"email"}, nil)
	require.NoError(t, err)
	for address, want := range map[string][]string{
		"email_dataset:daycare_customer": {"postgres_example_test_dataset:customer"},
		"email_dataset:children":         {"email_dataset:daycare_customer"},
		"manual_input:filing_cabinet":    {"postgres_example_test_dataset:customer"},
		"mongo_test:customer_details":    {"postgres_example_test_dataset:customer"},
		"postgres_example_test_dataset:payment_card": {
			"manual_input:filing_cabinet", "postgres_example_test_dataset:customer",
		},
	} {
		a, err := graph.ParseAddress(address)
		require.NoError(t, err)
		s, ok := plan.Step(a)
		require.True(t, ok, address)
		require.Equal(t, want, texts(s.Upstream), address)
	}
}

func TestTwiceTheSameKey(t *testing.T) {
	t.Parallel()
	_, _, err := graph.LoadFS(os.DirFS(dataDir(t)), []string{"dataset/example_test_datasets.yml", "dataset/mssql_example_test_dataset.yml"}, nil)
	require.EqualError(t, err, "dsr: dataset/mssql_example_test_dataset.yml:2:16: error: mssql_example_test_dataset: the fides_key is used twice: first at dataset/example_test_datasets.yml:2:16")
}

// Alone, a dataset that refers to another is no data map; every such reference
// is told.
func TestPartOfADataMap(t *testing.T) {
	t.Parallel()
	const missing = `refers to dataset "postgres_example_test_dataset", which is not in the data map; add it or remove the reference`
	for name, want := range map[string]string{
		"dataset/email_dataset.yml": "dsr: dataset/email_dataset.yml:16:19: error: email_dataset:daycare_customer.customer_id: " + missing,
		"dataset/manual_dataset.yml": "dsr: 2 faults:" +
			"\n\tdataset/manual_dataset.yml:20:19: error: manual_input:filing_cabinet.customer_id: " + missing +
			"\n\tdataset/manual_dataset.yml:27:19: error: manual_input:filing_cabinet.payment_card_id: " + missing,
		"dataset/mongo_example_test_dataset.yml": "dsr: dataset/mongo_example_test_dataset.yml:16:19: error: mongo_test:customer_details.customer_id: " + missing,
	} {
		_, err := graph.NewDataMap(dataset(t, name))
		require.EqualError(t, err, want)
	}
}

func countCollections(datasets []*graph.Dataset) map[string]int {
	counts := map[string]int{}
	for _, d := range datasets {
		counts[d.Key] = len(d.Collections)
	}
	return counts
}

// texts prints a list; nil for an empty one.
func texts[T fmt.Stringer](list []T) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.String())
	}
	return out
}
