# Fuzz targets; --enable-fuzz links them with libFuzzer, make check replays their corpus.
