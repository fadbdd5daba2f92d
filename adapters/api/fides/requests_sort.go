package fides

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// otherFields are those by which Fides sorts and lists here are not: an order
// without an index would go through all requests for each page.
func otherFields() []string {
	return []string{
		"id", "external_id", "status", "reviewed_at", "reviewed_by", "submitted_by", "finalized_at", "finalized_by", "identity_verified_at",
		"paused_at", "canceled_at", "cancel_reason", "custom_privacy_request_fields_approved_at", "custom_privacy_request_fields_approved_by",
		"policy_id", "client_id", "property_id", "source", "origin", "location", "deleted_at", "deleted_by", "awaiting_email_send_at",
		"duplicate_request_group_id", "days_left",
	}
}

// unsorted tells why lists are not sorted by a field.
func unsorted(field string) error {
	if !slices.Contains(otherFields(), field) {
		return refuse(http.StatusUnprocessableEntity, "%s is not on PrivacyRequest", field)
	}
	return refuse(http.StatusUnprocessableEntity, "Requests cannot be sorted by %s, only by %s", field, strings.Join(slices.Sorted(maps.Keys(sortFields())), ", "))
}
