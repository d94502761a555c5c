//! Log streams as segments on disk, and the filter language over them; knows no store and no API shape.
