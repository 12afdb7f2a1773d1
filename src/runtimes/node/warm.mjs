/* Imported once by a waiting worker, so that the machinery of ES modules is up when a function needs it. */
export default null;
