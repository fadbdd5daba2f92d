package fides

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

// notificationKey is the key of the setting in the catalogue.
const notificationKey = "fides.privacy_request_notification"

// notificationRoutes say who gets an e-mail when requests fail.
func (d *Door) notificationRoutes() []route {
	return []route{
		{
			method: "GET", path: "/privacy-request/notification", scopes: []string{oauth.ScopeNotificationsRead},
			id: "get_privacy_request_notification", summary: "Who is told of requests that failed", tag: tagRequests,
			errors: []int{http.StatusNotFound}, call: typed(d.getNotification),
		},
		{
			method: "PUT", path: "/privacy-request/notification", scopes: []string{oauth.ScopeNotificationsCreateOrUpdate},
			id: "put_privacy_request_notification", summary: "Say who is told of requests that failed; nobody for no addresses", tag: tagRequests,
			errors: []int{http.StatusBadRequest, http.StatusConflict}, call: typed(d.putNotification),
		},
	}
}

// notification says who gets an e-mail after how many requests failed.
type notification struct {
	Addresses []string `json:"email_addresses" maxItems:"100" nullable:"false" doc:"One that is given again is left out."`
	After     int      `json:"notify_after_failures" minimum:"0" maximum:"10000" doc:"How many requests have to fail until there is an e-mail about them."`
}

type notificationInput struct{ Body notification }

func (in *notificationInput) check() (faults []fault) {
	if len(in.Body.Addresses) > 0 && in.Body.After < 1 {
		faults = append(faults, fault{"greater_than_equal", []any{"body", "notify_after_failures"}, "Input should be greater than or equal to 1"})
	}
	for i, address := range in.Body.Addresses {
		if !isEmail(address) {
			faults = append(faults, fault{"value_error", []any{"body", "email_addresses", i}, notEmail})
		}
	}
	return faults
}

func (d *Door) getNotification(ctx context.Context, _ *struct{}) (*notification, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	n, err := readNotification(defs.Settings[notificationKey])
	if n == nil && err == nil {
		return nil, refuse(http.StatusNotFound, "No privacy request notification info found")
	}
	return n, err
}

// readNotification is nil where there is no setting.
func readNotification(data []byte) (*notification, error) {
	if len(data) == 0 {
		return nil, nil
	}
	n := &notification{}
	if err := json.Unmarshal(data, n); err != nil {
		return nil, fmt.Errorf("fides: the stored setting %s: %w", notificationKey, withoutValue(err))
	}
	return n, nil
}

func (d *Door) putNotification(ctx context.Context, in *notificationInput) (*notification, error) {
	if len(in.Body.Addresses) > 0 && d.options.Failures == nil {
		return nil, refuse(http.StatusBadRequest, "This server sends no e-mails about requests that failed; its operators are told in their own way.")
	}
	var once []string
	for _, address := range in.Body.Addresses {
		if !slices.Contains(once, address) {
			once = append(once, address)
		}
	}
	if len(once) > 0 {
		in.Body.Addresses = once
	}
	data, err := json.Marshal(&in.Body)
	if err != nil {
		return nil, err
	}
	err = d.change(ctx, func(defs *dsr.Definitions) error {
		delete(defs.Settings, notificationKey)
		if len(in.Body.Addresses) > 0 {
			defs.Settings[notificationKey] = data
		}
		return nil
	})
	return &in.Body, err
}
