//! How an async function becomes a handler.
//!
//! Two bounds, so that the compiler names what is wrong: [`Handler`] is about the function,
//! [`Arguments`] about what it asks for.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};

use crate::{FromToolCall, ToolCall, ToolError, args::Signature};

/// An async function or closure with up to eight arguments.
///
/// Implemented for every `Fn(..) -> impl Future + Send`; there is nothing to implement by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    note = "a handler is an async function or closure with at most 8 arguments, whose future is `Send`"
)]
pub trait Handler<A>: Send + Sync + 'static {
    /// What the function returns, awaited.
    type Output;

    /// Calls the function.
    fn call(&self, arguments: A) -> impl Future<Output = Self::Output> + Send + 'static;
}

/// The arguments of a handler: a tuple of types that implement [`FromToolCall`].
pub trait Arguments: Send + Sized + 'static {
    /// What the arguments say about the component.
    fn signature() -> Signature;

    /// Reads each argument from the call, in order.
    ///
    /// # Errors
    /// The first one that the call cannot give.
    fn read(call: &ToolCall) -> impl Future<Output = Result<Self, ToolError>> + Send;
}

macro_rules! handler {
    ($($argument:ident),*) => {
        impl<F, Fut, $($argument),*> Handler<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Send + Sync + 'static,
            Fut: Future + Send + 'static,
        {
            type Output = Fut::Output;

            #[expect(non_snake_case, reason = "a type parameter names its value")]
            fn call(
                &self,
                ($($argument,)*): ($($argument,)*),
            ) -> impl Future<Output = Self::Output> + Send + 'static {
                self($($argument),*)
            }
        }

        impl<$($argument: FromToolCall + 'static),*> Arguments for ($($argument,)*) {
            fn signature() -> Signature {
                let mut signature = Signature::default();
                $($argument::describe(&mut signature);)*
                signature
            }

            async fn read(call: &ToolCall) -> Result<Self, ToolError> {
                Ok(($($argument::from_tool_call(call).await?,)*))
            }
        }
    };
}

impl<F, Fut> Handler<()> for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
{
    type Output = Fut::Output;

    fn call(&self, (): ()) -> impl Future<Output = Self::Output> + Send + 'static {
        self()
    }
}

impl Arguments for () {
    fn signature() -> Signature {
        Signature::default()
    }

    async fn read(_call: &ToolCall) -> Result<Self, ToolError> {
        Ok(())
    }
}

handler!(A1);
handler!(A1, A2);
handler!(A1, A2, A3);
handler!(A1, A2, A3, A4);
handler!(A1, A2, A3, A4, A5);
handler!(A1, A2, A3, A4, A5, A6);
handler!(A1, A2, A3, A4, A5, A6, A7);
handler!(A1, A2, A3, A4, A5, A6, A7, A8);

/// A handler without its types.
pub(crate) type Erased<R> =
    Arc<dyn Fn(ToolCall) -> BoxFuture<'static, Result<R, ToolError>> + Send + Sync>;

/// Forgets the types of a handler; `answer` turns its output into a result.
pub(crate) fn erase<F, A, R>(
    handler: F,
    answer: impl Fn(F::Output, &ToolCall) -> Result<R, ToolError> + Send + Sync + 'static,
) -> Erased<R>
where
    F: Handler<A>,
    F::Output: Send,
    A: Arguments,
    R: Send + 'static,
{
    let shared = Arc::new((handler, answer));
    Arc::new(move |call| {
        let shared = Arc::clone(&shared);
        let run = async move {
            let (handler, answer) = &*shared;
            let arguments = A::read(&call).await?;
            answer(handler.call(arguments).await, &call)
        };
        isolate(run).boxed()
    })
}

/// A panic ends this call, not the session it runs in.
pub(crate) async fn isolate<R>(
    run: impl Future<Output = Result<R, ToolError>>,
) -> Result<R, ToolError> {
    AssertUnwindSafe(run)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            tracing::error!("a handler panicked");
            Err(ToolError::new(crate::error::FAILED))
        })
}
