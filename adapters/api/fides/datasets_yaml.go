package fides

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/godsr/dsr/graph"
)

type patchYAMLInput struct {
	Path    connectionPath
	Request *http.Request
}

// patchDatasetsYAML takes a file of datasets as people write it.
func (d *Door) patchDatasetsYAML(ctx context.Context, in *patchYAMLInput) (*bulkDatasets, error) {
	source, err := io.ReadAll(in.Request.Body)
	if err != nil {
		return nil, err
	}
	_, found := graph.Load("", source, nil)
	if err := found.Err(); err != nil {
		return nil, fileFailure(err)
	}
	list, err := objectsOf(source)
	if err != nil {
		return nil, &failure{status: http.StatusBadRequest, detail: "Invalid YAML format", cause: err}
	}
	if len(list) > maxDatasets {
		return nil, invalid(fault{"too_long", []any{"body", "dataset"}, fmt.Sprintf("List should have at most %d items after validation, not %d", maxDatasets, len(list))})
	}
	var faults []fault
	for i := range list {
		faults = append(faults, list[i].check("body", "dataset", i)...)
	}
	if err := invalid(faults...); err != nil {
		return nil, err
	}
	return d.putDatasets(ctx, in.Path.Key, list)
}

// fileFailure tells what is wrong with a file: one that is no YAML is 400, one
// that is no file of datasets 422.
func fileFailure(err error) error {
	var wrong *graph.FaultError
	if errors.As(err, &wrong) && slices.ContainsFunc(wrong.Faults, func(f graph.Diagnostic) bool { return f.Syntax }) {
		return refuse(http.StatusBadRequest, "Invalid YAML format: %s", strings.ReplaceAll(faultsText(err), "\x00", "\uFFFD"))
	}
	return datasetFailure(err)
}

// datasetFailure tells what is wrong with datasets, and where.
func datasetFailure(err error) error {
	var wrong *graph.FaultError
	if !errors.As(err, &wrong) {
		return err
	}
	var list []fault
	for _, f := range wrong.Faults {
		message := f.Text()
		if f.Pos.Line > 0 {
			message = fmt.Sprintf("line %d, column %d: %s", f.Pos.Line, f.Pos.Column, message)
		}
		list = append(list, valueFault(strings.ReplaceAll(message, "\x00", "\uFFFD"), "body"))
	}
	return invalid(list...)
}
