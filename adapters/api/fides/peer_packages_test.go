package fides_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// TestPeer05ExceptionSelectiveRedactionWithPatterns is
// test_selective_redaction_with_patterns: the same names are hidden, and folders
// have the same names. The pages differ, as packages are laid out for large ones:
// one first page for all datasets, index.html in place of clickme.html, and
// numbered pages of collections.
func TestPeer05ExceptionSelectiveRedactionWithPatterns(t *testing.T) {
	t.Parallel()
	rows := peerRows{
		"customer_database": {
			"users":  {{"id": 1, "name": "John Doe", "email": "john@example.com", "age": 30}, {"id": 2, "name": "Jane Smith", "email": "jane@example.com", "age": 25}},
			"orders": {{"id": 101, "user_id": 1, "amount": 49.99, "product": "Widget A"}, {"id": 102, "user_id": 2, "amount": 29.99, "product": "Widget B"}},
		},
		"analytics_system": {"user_events": {
			{"user_id": 1, "event": "login", "timestamp": "2024-01-01T10:00:00Z"}, {"user_id": 1, "event": "purchase", "timestamp": "2024-01-01T10:30:00Z"},
		}},
		"public_data": {"articles": {{"id": 1, "title": "Public Article", "content": "This is public"}, {"id": 2, "title": "Another Article", "content": "Also public"}}},
	}
	patterns := []string{"customer.*", ".*user.*", "^email$"}

	files := peerPackage(t, storage.HTML{}, peerMap(rows), rows, patterns...)
	var pages []string
	for name := range files {
		if regexp.MustCompile(`^data/.*\.html$`).MatchString(name) {
			pages = append(pages, name)
		}
	}
	require.ElementsMatch(t, []string{
		"data/analytics_system/collection_1/page-1.html", "data/dataset_1/collection_1/page-1.html",
		"data/dataset_1/orders/page-1.html", "data/public_data/articles/page-1.html",
	}, pages)
	for _, name := range []string{"analytics_system", "dataset_1", "public_data", "collection_1", "orders", "articles"} {
		require.Contains(t, files["index.html"], "<bdi>"+name+"</bdi>")
	}
	users := files["data/dataset_1/collection_1/page-1.html"]
	for _, shown := range []string{"<bdi>field_1</bdi>", "<bdi>id</bdi>", "<bdi>name</bdi>", "<bdi>age</bdi>", "john@example.com", "Jane Smith"} {
		require.Contains(t, users, shown)
	}
	for name, text := range files {
		for _, hidden := range []string{"customer_database", "user_events", "user_id", "<bdi>users</bdi>", "<bdi>email</bdi>"} {
			require.NotContains(t, text, hidden, name)
		}
	}

	require.JSONEq(t, `{
		"analytics_system:collection_1": [{"field_1":1,"event":"login","timestamp":"2024-01-01T10:00:00Z"},{"field_1":1,"event":"purchase","timestamp":"2024-01-01T10:30:00Z"}],
		"dataset_1:collection_1": [{"id":1,"name":"John Doe","field_1":"john@example.com","age":30},{"id":2,"name":"Jane Smith","field_1":"jane@example.com","age":25}],
		"dataset_1:orders": [{"id":101,"field_1":1,"amount":49.99,"product":"Widget A"},{"id":102,"field_1":2,"amount":29.99,"product":"Widget B"}],
		"public_data:articles": [{"id":1,"title":"Public Article","content":"This is public"},{"id":2,"title":"Another Article","content":"Also public"}]
	}`, peerPackage(t, storage.JSON{}, peerMap(rows), rows, patterns...)[""])
}

// TestPeer06GetRedactionEntitiesMapNestedFields is
// test_get_redaction_entities_map_nested_fields, seen by what a package shows.
func TestPeer06GetRedactionEntitiesMapNestedFields(t *testing.T) {
	t.Parallel()
	const yaml = `
dataset:
- fides_key: test_nested_dataset
  name: Test Nested Dataset
  collections:
  - name: users
    fields:
    - {name: owner, data_categories: [system.operations], fides_meta: {identity: email}}
    - name: profile
      fides_meta: {redact: name}
      fields:
      - name: personal_info
        fides_meta: {redact: name}
        fields:
        - {name: ssn, data_categories: [user], fides_meta: {redact: name}, fields: []}
        - name: passport_info
          fides_meta: {}
          fields:
          - {name: passport_number, data_categories: [user], fides_meta: {redact: name}, fields: []}
    - {name: email, data_categories: [user], fides_meta: {}, fields: []}
`
	rows := peerRows{"test_nested_dataset": {"users": {{
		"email":   "john@example.com",
		"profile": map[string]any{"personal_info": map[string]any{"ssn": "ssn", "passport_info": map[string]any{"passport_number": "C01X00T47"}}},
	}}}}
	require.JSONEq(t, `{"test_nested_dataset:users":[{"email":"john@example.com","field_1":{"field_1":{"field_1":"ssn","passport_info":{"field_1":"C01X00T47"}}}}]}`,
		peerPackage(t, storage.JSON{}, yaml, rows)[""])
}

// TestPeer07NestedFieldRegexPatternRedaction is
// test_nested_field_regex_pattern_redaction.
func TestPeer07NestedFieldRegexPatternRedaction(t *testing.T) {
	t.Parallel()
	rows := peerRows{"nested_test": {"profiles": {{"id": 1, "user_info": map[string]any{"full_name": "John Doe", "email_address": "john@example.com", "phone": "555-1234"}}}}}
	files := peerPackage(t, storage.HTML{}, peerMap(rows), rows, "full_name", "email.*")
	for name, text := range files {
		require.NotContains(t, text, "full_name", name)
		require.NotContains(t, text, "email_address", name)
	}
	for _, shown := range []string{"<bdi>user_info</bdi>", "<bdi>phone</bdi>", "555-1234", "John Doe", "john@example.com"} {
		require.Contains(t, files["data/nested_test/profiles/page-1.html"], shown)
	}
	require.JSONEq(t, `{"nested_test:profiles":[{"id":1,"user_info":{"field_1":"john@example.com","field_2":"John Doe","phone":"555-1234"}}]}`,
		peerPackage(t, storage.JSON{}, peerMap(rows), rows, "full_name", "email.*")[""])
}

// TestPeer08ExceptionDatasetOrdering is test_dataset_ordering: datasets in the
// order of their names, and then what has no dataset. In Fides that is what has
// been put under the name "dataset", which it shows as "Additional Data"; a real
// dataset of that name is taken for it. Here it is what people answered, shown
// as "Looked up by people", and a dataset may have any name.
func TestPeer08ExceptionDatasetOrdering(t *testing.T) {
	t.Parallel()
	rows := peerRows{}
	for i, key := range []string{"zebra", "alpha", "beta", "dataset", "charlie"} {
		rows[key] = map[string][]map[string]any{"collection1": {{"id": i + 1}}}
	}
	k, folder := peerDesk(t, storage.HTML{}, peerMap(rows), rows)
	token := k.peerForm(t, `{"fields":[{"pii_field":"note"}]}`)
	k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"`+peerOwner+`"}}]`).is(t, http.StatusOK)
	require.Equal(t, dsr.StatusRequiresInput, k.advance(t, "pri_1").Status)
	require.Equal(t, http.StatusCreated, k.multipart(t, token, filesOf,
		part{name: "attachment_type", content: "include_with_access_package"}, part{name: "attachment_file", file: "test.txt", content: "test"}).Status)
	k.send(t, token, "PATCH", accessForm, `{"note":"by hand"}`).is(t, http.StatusOK)
	k.send(t, token, "POST", resumeForms, nil).is(t, http.StatusOK)
	files := filesIn(t, folder, k.advance(t, "pri_1"))

	var links []string
	for _, link := range regexp.MustCompile(`href="((?:data|attachments)/[^"]+)"`).FindAllStringSubmatch(files["index.html"], -1) {
		links = append(links, link[1])
	}
	require.Equal(t, []string{
		"data/alpha/collection1/page-1.html", "data/beta/collection1/page-1.html", "data/charlie/collection1/page-1.html", "data/dataset/collection1/page-1.html",
		"data/zebra/collection1/page-1.html", "data/Looked%20up%20by%20people/paper/page-1.html", "attachments/test.txt",
	}, links)
	require.Equal(t, "test", files["attachments/test.txt"])
	require.NotContains(t, files["index.html"], "Additional Data")
}

// peerForm makes the form of a connection "paper" and returns a token that
// opens everything.
func (k *desk) peerForm(t *testing.T, form string) (token string) {
	t.Helper()
	token = k.token(t)
	k.connect(t, "paper", "manual_webhook")
	require.Equal(t, http.StatusCreated, k.send(t, token, "POST", "/connection/paper/access_manual_webhook", form).Status)
	return token
}

// TestPeer09ExceptionSpecialCharacters is test_with_special_characters. What
// has a meaning in HTML is escaped as in Fides. Other characters are shown as
// they are, for people to read; Fides prints \u4f60\u597d\u4e16\u754c and
// \ud83d\udc4b\ud83c\udf0d.
func TestPeer09ExceptionSpecialCharacters(t *testing.T) {
	t.Parallel()
	rows := peerRows{"shop": {"empty": {{"id": 1}}}}
	k, folder := peerDesk(t, storage.HTML{}, peerMap(rows), rows)
	token := k.peerForm(t, `{"fields":[{"pii_field":"email"},{"pii_field":"special_chars"},{"pii_field":"unicode_chars"},{"pii_field":"emoji"},{"pii_field":"html_chars"}]}`)
	k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access","identity":{"email":"`+peerOwner+`"}}]`).is(t, http.StatusOK)
	require.Equal(t, dsr.StatusRequiresInput, k.advance(t, "pri_1").Status)
	k.send(t, token, "PATCH", accessForm, map[string]string{
		"email": "test@example.com", "special_chars": "!@#$%^&*()_+{}|:\"<>?[]\\;',./~`", "unicode_chars": "你好世界", "emoji": "👋🌍", "html_chars": "<script>alert('test')</script>",
	}).want(t, http.StatusOK, "null")
	k.send(t, token, "POST", resumeForms, nil).is(t, http.StatusOK)
	files := filesIn(t, folder, k.advance(t, "pri_1"))

	shown := map[string]string{}
	for _, field := range regexp.MustCompile(`<dt><bdi>(.*?)</bdi></dt><dd><bdi data-type="text">(.*?)</bdi></dd>`).FindAllStringSubmatch(files["data/Looked up by people/paper/page-1.html"], -1) {
		shown[field[1]] = field[2]
	}
	require.Equal(t, map[string]string{
		"email": "test@example.com", "special_chars": "!@#$%^&amp;*()_+{}|:&#34;&lt;&gt;?[]\\;&#39;,./~`", "unicode_chars": "你好世界", "emoji": "👋🌍",
		"html_chars": "&lt;script&gt;alert(&#39;test&#39;)&lt;/script&gt;",
	}, shown)
	for name, text := range files {
		require.NotContains(t, text, "<script>alert", name)
	}
}

// TestPeerExceptionCSVUtils holds what test_csv_utils.py does: a table has the
// columns of all rows, fields inside of objects have columns with dots, and a
// collection without rows has no file. Other than in Fides lists are JSON, not
// what Python prints; texts are in quotes, so that they are told from numbers; a
// collection lies in the folder of its dataset; and attached files are in the
// package, in place of a table of links to them.
func TestPeerExceptionCSVUtils(t *testing.T) {
	t.Parallel()
	rows := peerRows{"crm": {
		"people":  {{"name": "John", "age": 30}, {"name": "Jane", "city": "NYC"}},
		"nested":  {{"user": map[string]any{"name": "John", "address": map[string]any{"city": "NYC", "zip": "10001"}}}},
		"lists":   {{"name": "John", "items": []any{"item1", "item2"}}},
		"nothing": {},
	}}
	files := peerPackage(t, storage.CSV{}, peerMap(rows), rows)
	const mark = "\ufeff"
	require.Equal(t, map[string]string{
		"crm/people.csv": mark + "\"age\",\"city\",\"name\"\r\n30,,\"John\"\r\n,\"NYC\",\"Jane\"\r\n",
		"crm/nested.csv": mark + "\"user.address.city\",\"user.address.zip\",\"user.name\"\r\n\"NYC\",\"10001\",\"John\"\r\n",
		"crm/lists.csv":  mark + "\"items\",\"name\"\r\n\"[\"\"item1\"\",\"\"item2\"\"]\",\"John\"\r\n",
		"contents.csv": mark + "\"address\",\"state\",\"rows\",\"uncastable\",\"file\",\"message\"\r\n" +
			"\"crm:lists\",\"done\",1,0,\"crm/lists.csv\",\r\n\"crm:nested\",\"done\",1,0,\"crm/nested.csv\",\r\n" +
			"\"crm:nothing\",\"done\",0,0,,\r\n\"crm:people\",\"done\",2,0,\"crm/people.csv\",\r\n",
	}, files)
}
