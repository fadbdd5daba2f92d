//go:build compat

// Package compat holds the tests that compare with Fides: its annotated
// datasets, its sample rows and the behaviour that its own tests pin down.
//
// The files are read in place from the folder that DSR_COMPAT_DATA names, and
// the package of the tutorial from the one that DSR_COMPAT_SEEDS names; nothing
// of them is kept here. A test TestFidesNN holds the NNth of Fides' behaviours;
// TestFidesNNException tells where the engine decides otherwise, why, and what
// it does instead.
//
//	make compat
package compat
