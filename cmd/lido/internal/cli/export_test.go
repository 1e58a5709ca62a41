package cli

// ExplainRefusal is tested by itself: a build for tests has no sqlc.
var ExplainRefusal = explainRefusal
