package fides

import "slices"

// groups are all routes. Each group has files of its own; a new one adds its
// line here.
func (d *Door) groups() []route {
	return slices.Concat(
		d.documentRoutes(),
		d.requestRoutes(),
		d.oauthRoutes(),
		d.policyRoutes(),
		d.ruleRoutes(),
		d.policyHookRoutes(),
		d.preApprovalRoutes(),
		d.formRoutes(),
		d.uploadRoutes(),
		d.taskRoutes(),
		d.definedTaskRoutes(),
		d.attachmentRoutes(),
		d.redactionRoutes(),
		d.notificationRoutes(),
		d.maskingRoutes(),
		d.encryptionRoutes(),
		d.healthRoutes(),
		d.connectionRoutes(),
		d.datasetRoutes(),
		d.storageRoutes(),
	)
}
