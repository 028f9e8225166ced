"""Why a gradient is wrong: relations that hold for any layer, fingerprints of known mistakes, and the words for both."""
