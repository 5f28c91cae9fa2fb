"""The emulator of Google Cloud's APIs: what answers at *.googleapis.com inside the sealed world."""
