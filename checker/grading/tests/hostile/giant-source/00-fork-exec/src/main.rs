// A source of 100 MB.
// expect: unbuilt
@GIANT@
