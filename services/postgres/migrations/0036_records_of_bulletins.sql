-- The figures of a bulletin are held against its record whenever they are shown: some hundreds of records among millions.
CREATE INDEX closure_records_bulletins ON closure_records (id) WHERE kind = 'bulletin';
