package cli

// ExplainRefusal is tested by itself: a build for tests has no sqlc.
var ExplainRefusal = explainRefusal

// CommandWords and FlagWords are for the test of what errors say.
var (
	CommandWords = commandWords
	FlagWords    = flagWords
)
