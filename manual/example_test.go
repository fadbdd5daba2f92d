package manual_test

import (
	"encoding/json"
	"fmt"

	"github.com/godsr/dsr/manual"
)

// A form asks for two fields; one is found in the system, and later the form
// asks for one more.
func ExampleForm() {
	form, err := manual.NewForm(manual.Form{Name: "Old CRM", Fields: []manual.Field{
		{PIIField: "First Name"},
		{PIIField: "Phone Number", Label: "phone"},
	}})
	fmt.Println(form.Key, form.Labels(manual.Access), err)

	upload, err := form.Decode(manual.Access, []byte(`{"first_name": "Jane"}`))
	fmt.Println(form.Complete(manual.Access, upload), err)

	form.Fields = append(form.Fields, manual.Field{PIIField: "Height", Label: "height"})
	view, err := json.Marshal(form.View(manual.Access, upload))
	fmt.Println(string(view), err)
	fmt.Println(form.Missing(manual.Access, "pri_1", upload))
	// Output:
	// old_crm [first_name phone] <nil>
	// true <nil>
	// {"checked":false,"fields":{"first_name":"Jane","phone":null,"height":null}} <nil>
	// Cannot resume privacy request. Fields unset for privacy_request_id 'pri_1' for connection config 'old_crm'
}

// People are asked only about large orders, or in one country.
func ExampleCondition() {
	var when manual.Condition
	err := json.Unmarshal([]byte(`{"logical_operator": "or", "conditions": [
		{"field_address": "shop:orders:total", "operator": "gte", "value": 1000},
		{"field_address": "privacy_request.location_country", "operator": "eq", "value": "FR"}
	]}`), &when)
	fmt.Println(when.Addresses(), err)

	known := map[string][]any{
		"shop:orders:total":                {json.Number("12.50"), json.Number("999.99")},
		"privacy_request.location_country": {"DE"},
	}
	fmt.Println(when.Unmet(func(address string) ([]any, bool) {
		values, ok := known[address]
		return values, ok
	}))
	// Output:
	// [shop:orders:total privacy_request.location_country] <nil>
	// [shop:orders:total gte privacy_request.location_country eq] <nil>
}
