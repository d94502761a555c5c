//! Named volumes and bind mounts of a node; knows no store and no API shape.
