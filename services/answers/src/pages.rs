//! Pages of rows, each of which begins after the last row of the one before.

/// Reads page after page until one is empty.
pub(crate) struct Pages<R, L, K> {
    read: R,
    last: L,
    after: Option<K>,
}

impl<R, L, K: Copy> Pages<R, L, K> {
    /// Pages that `read` reads after a key; `last` says the key of a row.
    pub(crate) fn new<T, E, F>(read: R, last: L) -> Self
    where
        R: FnMut(Option<K>) -> F,
        F: Future<Output = Result<Vec<T>, E>>,
        L: Fn(&T) -> K,
    {
        Self { read, last, after: None }
    }

    /// The next page; `None` after the last one.
    pub(crate) async fn next<T, E, F>(&mut self) -> Result<Option<Vec<T>>, E>
    where
        R: FnMut(Option<K>) -> F,
        F: Future<Output = Result<Vec<T>, E>>,
        L: Fn(&T) -> K,
    {
        let page = (self.read)(self.after).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some((self.last)(last));
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_row_is_read_once_and_each_page_begins_after_the_one_before() {
        let mut asked = Vec::new();
        let read = |after: Option<u32>| {
            asked.push(after);
            let first = after.map_or(0, |after| after + 1);
            async move { Ok::<_, ()>((first..7.min(first + 3)).collect::<Vec<u32>>()) }
        };
        let mut rows = Vec::new();
        let mut pages = Pages::new(read, |row: &u32| *row);
        while let Some(page) = pages.next().await.unwrap() {
            rows.extend(page);
        }
        assert_eq!(rows, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(asked, [None, Some(2), Some(5), Some(6)]);
    }

    #[tokio::test]
    async fn a_page_that_cannot_be_read_ends_it() {
        let mut pages = Pages::new(async |_: Option<u32>| Err::<Vec<u32>, _>("gone"), |row: &u32| *row);
        assert_eq!(pages.next().await, Err("gone"));
    }
}
