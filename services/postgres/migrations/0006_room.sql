-- A case grows to several times what it was when it came: a page that is filled with new cases cannot hold them when they
-- are closed, and every row that must move to another page is written into all indexes again. A page that keeps three
-- quarters free is about full when its cases are closed. It counts for pages to come.
ALTER TABLE cases SET (fillfactor = 25);
